// Files written in the page: a table as CSV, and a network as deltarule's safetensors file.
"use strict";
const Files = (() => {
  const bytesOf = (text) => new TextEncoder().encode(text);

  // ------------------------------------------------------------- BLAKE2b (RFC 7693), 16 bytes
  const IV = ["6a09e667f3bcc908", "bb67ae8584caa73b", "3c6ef372fe94f82b", "a54ff53a5f1d36f1",
    "510e527fade682d1", "9b05688c2b3e6c1f", "1f83d9abfb41bd6b", "5be0cd19137e2179"].map((word) => BigInt(`0x${word}`));
  const ORDERS = ["0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194", "7931dcbe265a40f8", "905724afe1bc683d",
    "2c6a0b834d75fe19", "c51fed4a0763928b", "db7ec13950f4862a", "6fe9b308c2d714a5", "a2847615fb9e3cd0"]
    .map((order) => Array.from(order, (digit) => parseInt(digit, 16)));
  const PLACES = [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15], [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]];
  const word = (x) => BigInt.asUintN(64, x);
  const turned = (x, by) => word((x >> by) | (x << (64n - by)));

  function mix(v, [a, b, c, d], x, y) {
    for (const [given, first, second] of [[x, 32n, 24n], [y, 16n, 63n]]) {
      v[a] = word(v[a] + v[b] + given);
      v[d] = turned(v[d] ^ v[a], first);
      v[c] = word(v[c] + v[d]);
      v[b] = turned(v[b] ^ v[c], second);
    }
  }
  function blake2b(bytes) {
    const state = IV.slice(), count = Math.max(1, Math.ceil(bytes.length / 128)), padded = new Uint8Array(128 * count);
    padded.set(bytes);
    state[0] ^= 0x01010010n;
    const view = new DataView(padded.buffer);
    for (let block = 0; block < count; block++) {
      const isLast = block === count - 1, m = Array.from({ length: 16 }, (_, k) => view.getBigUint64(128 * block + 8 * k, true));
      const v = [...state, ...IV];
      v[12] ^= BigInt(isLast ? bytes.length : 128 * (block + 1));
      if (isLast) v[14] = word(~v[14]);
      for (let round = 0; round < 12; round++) {
        const order = ORDERS[round % 10];
        PLACES.forEach((places, k) => mix(v, places, m[order[2 * k]], m[order[2 * k + 1]]));
      }
      state.forEach((_, k) => { state[k] ^= v[k] ^ v[k + 8]; });
    }
    const found = new DataView(new ArrayBuffer(16));
    [0, 1].forEach((k) => found.setBigUint64(8 * k, state[k], true));
    return Array.from(new Uint8Array(found.buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // ------------------------------------------------------------------------ the safetensors file
  function joined(parts) {
    const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) { all.set(part, at); at += part.length; }
    return all;
  }
  // tensors: [name, matrix] in double precision; metadata: JSON values, signed by a digest of it all.
  function safetensors(key, tensors, metadata) {
    const sorted = tensors.toSorted(([a], [b]) => (a < b ? -1 : 1)), text = JSON.stringify(metadata), header = {};
    const contents = sorted.map(([, M]) => new Uint8Array(Float64Array.from(M.v).buffer));
    const signed = sorted.flatMap(([name, M], k) => [bytesOf(`${name} F64 ${M.n},${M.m}\n`), contents[k]]);
    const digest = blake2b(joined([bytesOf(`${text}\n`), ...signed]));
    header.__metadata__ = { [key]: `${text.slice(0, -1)}, "digest": "${digest}"}` };
    let at = 0;
    sorted.forEach(([name, M], k) => {
      header[name] = { dtype: "F64", shape: [M.n, M.m], data_offsets: [at, at + contents[k].length] };
      at += contents[k].length;
    });
    let head = bytesOf(JSON.stringify(header));
    head = joined([head, new Uint8Array((8 - (head.length % 8)) % 8).fill(0x20)]);
    const size = new Uint8Array(8);
    new DataView(size.buffer).setBigUint64(0, BigInt(head.length), true);
    return joined([size, head, ...contents]);
  }

  // ---------------------------------------------------------------------------- of a run
  // The network as it takes the table's own numbers: what standardizes is part of its weights.
  function unscaled(run) {
    const parameters = run.parameters.map(({ W, b }) => ({ W: Engine.copy(W), b: Engine.copy(b) })), [first] = parameters, last = parameters.at(-1);
    if (Plan.hasScaledTarget(run.settings, run.data)) {
      const { mean, std } = run.data.scale;
      last.W.v.forEach((w, k) => { last.W.v[k] = w * (std || 1); });
      last.b.v.forEach((b, k) => { last.b.v[k] = b * (std || 1) + mean; });
    }
    if (run.settings.standardize)
      for (let i = 0; i < first.W.n; i++) run.data.inputs.forEach(({ mean, std }, j) => {
        const w = first.W.v[i * first.W.m + j] / std;
        first.W.v[i * first.W.m + j] = w;
        first.b.v[i] -= w * mean;
      });
    return parameters;
  }
  function model(run) {
    const { rows } = Plan, { settings, plan, data } = run, units = plan.sizes.at(-1), ofClasses = rows.costs[settings.cost].is_of_classes;
    const names = [...settings.hidden.map(() => settings.activation), settings.output];
    const layers = names.map((name, k) => ({ ...rows.layers[name].stored, units: plan.sizes[k + 1] }));
    const hasClasses = data.classes && ofClasses && (units === 1 || plan.cost.distribution);
    const about = { columns: data.inputs.map(({ name }) => name), target: data.target, ...(hasClasses ? { classes: data.classes } : {}) };
    const network = { ...rows.file.network, inputs: plan.sizes[0], cost: plan.cost.name, layers };
    const tensors = unscaled(run).flatMap(({ W, b }, k) => [[`${k + 1}.W`, W], [`${k + 1}.b`, b]]);
    return safetensors(rows.file.key, tensors, { format: rows.file.format, network, preprocessing: null, targets: null, about });
  }
  const quoted = (cell) => (/[",\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  function csv(table) {
    const plain = (cell) => (table.comma && Table.number(cell, true) !== null ? String(Table.number(cell, true)) : cell);
    return [table.names, ...table.cells.map((row) => row.map(plain))].map((row) => row.map(quoted).join(",")).join("\n") + "\n";
  }
  function save(name, content, type) {
    const link = h("a", { href: URL.createObjectURL(new Blob([content], { type })), download: name });
    link.click();
    URL.revokeObjectURL(link.href);
  }
  return { blake2b, model, csv, save };
})();

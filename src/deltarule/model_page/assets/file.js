// The model file within this page: the page's digest is checked, then the file is taken apart.
"use strict";
const Carried = (() => {
  const textOf = (id) => document.getElementById(id)?.textContent ?? "";
  const PARTS = ["style", "shell", "facts", "model", "program"];

  // ------------------------------------------------------------------------------- SHA-256
  const fraction = (x) => Math.floor((x - Math.floor(x)) * 2 ** 32);
  const PRIMES = Array.from({ length: 312 }, (_, n) => n)
    .filter((n) => n > 1 && Array.from({ length: n - 2 }, (_, d) => d + 2).every((d) => n % d)).slice(0, 64);
  const ROUNDS = PRIMES.map((p) => fraction(Math.cbrt(p)));
  const turned = (x, by) => (x >>> by) | (x << (32 - by));

  function block(H, W) {  // W: 16 words
    for (let t = 16; t < 64; t++) {
      const a = W[t - 15], b = W[t - 2];
      const s0 = turned(a, 7) ^ turned(a, 18) ^ (a >>> 3), s1 = turned(b, 17) ^ turned(b, 19) ^ (b >>> 10);
      W[t] = (W[t - 16] + s0 + W[t - 7] + s1) | 0;
    }
    let [a, b, c, d, e, f, g, h] = H;
    for (let t = 0; t < 64; t++) {
      const big = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25), choice = (e & f) ^ (~e & g);
      const one = (h + big + choice + ROUNDS[t] + W[t]) | 0;
      const other = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + other) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((x, k) => { H[k] = (H[k] + x) | 0; });
  }
  function sha256(text) {
    const content = new TextEncoder().encode(text), size = (((content.length + 8) >> 6) + 1) << 6;
    const bytes = new Uint8Array(size), view = new DataView(bytes.buffer), W = new Int32Array(64);
    bytes.set(content);
    bytes[content.length] = 0x80;
    view.setUint32(size - 8, Math.floor(content.length / 2 ** 29));
    view.setUint32(size - 4, (content.length << 3) >>> 0);
    const H = Int32Array.from(PRIMES.slice(0, 8), (p) => fraction(Math.sqrt(p)));
    for (let at = 0; at < size; at += 64) {
      for (let t = 0; t < 16; t++) W[t] = view.getInt32(at + 4 * t);
      block(H, W);
    }
    return [...H].map((x) => (x >>> 0).toString(16).padStart(8, "0")).join("");
  }

  // A sentence on what is wrong with this page; empty where it is as it was written.
  function flaw() {
    if (!document.getElementById("end")) return "This page is truncated: its end is missing.";
    const own = document.documentElement.dataset.digest;
    return sha256(PARTS.map(textOf).join("\n")) === own ? "" : "This page was edited: its contents do not match its digest.";
  }

  // --------------------------------------------------------------------------- safetensors
  const ARRAYS = { F32: Float32Array, F64: Float64Array };
  // The metadata of the model file, and its tensors as matrices in double precision.
  function model() {
    const bytes = Uint8Array.from(atob(textOf("model")), (c) => c.charCodeAt(0)), view = new DataView(bytes.buffer);
    const start = 8 + Number(view.getBigUint64(0, true));
    const { __metadata__: entries, ...header } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
    const tensors = Object.fromEntries(Object.entries(header).map(([name, { dtype, shape, data_offsets: [first, last] }]) => {
      const values = new ARRAYS[dtype](bytes.slice(start + first, start + last).buffer);
      return [name, Algebra.matrix(shape[0], shape[1], Float64Array.from(values))];
    }));
    return { ...JSON.parse(entries.deltarule), tensors };
  }

  return { flaw, model, sha256, facts: () => JSON.parse(textOf("facts")), shell: () => textOf("shell") };
})();

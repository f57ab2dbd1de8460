// Data drawn in the page: numbers from a seed, and the tables of the classical examples.
"use strict";
const Random = (() => {
  // mulberry32. A seed has many streams: one draws the data, one splits them, one for each epoch.
  function stream(seed, number) {
    let a = Math.imul((seed >>> 0) ^ Math.imul(number + 1, 0x9e3779b1), 0x85ebca6b) >>> 0;
    const uniform = () => {
      a = (a + 0x6d2b79f5) | 0;
      let t = Math.imul(a ^ (a >>> 15), 1 | a);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    const permutation = (size) => {
      const order = Array.from({ length: size }, (_, k) => k);
      for (let k = size - 1; k > 0; k--) {
        const other = Math.floor(uniform() * (k + 1));
        [order[k], order[other]] = [order[other], order[k]];
      }
      return order;
    };
    return { uniform, normal, permutation };
  }
  const STREAMS = { data: 0, split: 1, weights: 2, order: 1000 };  // the last: plus the epoch
  return { stream, STREAMS };
})();

const Examples = (() => {
  // Row k of m, a stream, how much noise: the inputs, then the target.
  const between = (random, low, high) => low + (high - low) * random.uniform();
  const turned = (radius, angle) => [radius * Math.cos(angle), radius * Math.sin(angle)];
  const shifted = (place, random, noise) => place.map((x) => x + noise * random.normal());
  const CLASSES = ["blue", "orange"];
  const SETS = {
    circles: { title: "Circles", names: ["x1", "x2", "color"], row(k, m, random, noise) {
      const radius = k % 2 ? between(random, 0.7, 1) : between(random, 0, 0.45);
      return [...shifted(turned(radius, between(random, 0, 2 * Math.PI)), random, noise), CLASSES[k % 2]];
    } },
    spirals: { title: "Spirals", names: ["x1", "x2", "color"], row(k, m, random, noise) {
      const share = (Math.floor(k / 2) + 0.5) / Math.ceil(m / 2);
      const place = turned(share, 1.75 * 2 * Math.PI * share + (k % 2) * Math.PI);
      return [...shifted(place, random, 0.3 * noise), CLASSES[k % 2]];
    } },
    xor: { title: "XOR", names: ["x1", "x2", "color"], row(k, m, random, noise) {
      const side = () => (random.uniform() < 0.5 ? -1 : 1) * between(random, 0.08, 1);
      const place = [side(), side()];
      return [...shifted(place, random, noise), CLASSES[place[0] * place[1] < 0 ? 1 : 0]];
    } },
    moons: { title: "Moons", names: ["x1", "x2", "color"], row(k, m, random, noise) {
      const angle = between(random, 0, Math.PI), [x, y] = turned(1, angle);
      return [...shifted(k % 2 ? [1 - x, 0.5 - y] : [x, y], random, noise), CLASSES[k % 2]];
    } },
    gaussians: { title: "Two Gaussians", names: ["x1", "x2", "color"], row(k, m, random, noise) {
      const center = k % 2 ? 1 : -1;
      return [...shifted([center, center], random, 0.4 + noise), CLASSES[k % 2]];
    } },
    plane: { title: "Plane (regression)", names: ["x1", "x2", "y"], row(k, m, random, noise) {
      const [a, b] = [between(random, -1, 1), between(random, -1, 1)];
      return [a, b, 2 * a - b + 1 + noise * random.normal()];
    } },
    wave: { title: "Wave (regression)", names: ["x", "y"], row(k, m, random, noise) {
      const x = between(random, -1, 1);
      return [x, Math.sin(2 * Math.PI * x) + noise * random.normal()];
    } },
  };
  // A table as Table.read gives it: names, and rows of cells as text.
  function table(name, rows, noise, seed) {
    const random = Random.stream(seed, Random.STREAMS.data), { names, row } = SETS[name];
    const cells = Array.from({ length: rows }, (_, k) => row(k, rows, random, noise).map(String));
    return { names, cells, comma: false, notes: [] };
  }
  return { SETS, table };
})();

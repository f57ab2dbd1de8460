// Matrices of numbers: {n, m, v}, n rows, m columns, v the entries row by row in double precision.
"use strict";
const Algebra = (() => {
  const matrix = (n, m, v) => ({ n, m, v: v || new Float64Array(n * m) });
  const at = (M, i, j) => M.v[i * M.m + j];
  const made = (n, m, f) => {  // f of row and column
    const M = matrix(n, m);
    for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) M.v[i * m + j] = f(i, j);
    return M;
  };
  const map = (f, M, P, Q) =>  // f of the entries of up to three matrices
    matrix(M.n, M.m, M.v.map(Q ? (x, k) => f(x, P.v[k], Q.v[k]) : P ? (x, k) => f(x, P.v[k]) : (x) => f(x)));
  const copy = (M) => matrix(M.n, M.m, M.v.slice());
  const total = (M) => M.v.reduce((sum, x) => sum + x, 0);
  const norm = (M) => Math.sqrt(M.v.reduce((sum, x) => sum + x * x, 0));
  const transpose = (M) => made(M.m, M.n, (i, j) => at(M, j, i));

  function product(P, Q) {
    const R = matrix(P.n, Q.m);
    for (let i = 0; i < P.n; i++)
      for (let k = 0; k < P.m; k++) {
        const p = at(P, i, k);
        for (let j = 0; j < Q.m; j++) R.v[i * Q.m + j] += p * Q.v[k * Q.m + j];
      }
    return R;
  }

  const sumOf = (M, axis) => {  // 1: over the columns, to (n, 1); 0: over the rows, to (1, m)
    const R = axis === 1 ? matrix(M.n, 1) : matrix(1, M.m);
    for (let i = 0; i < M.n; i++)
      for (let j = 0; j < M.m; j++) R.v[axis === 1 ? i : j] += at(M, i, j);
    return R;
  };

  const columnwise = (f, M) => {  // f of one example's column, an array, to a column
    const R = matrix(M.n, M.m);
    for (let j = 0; j < M.m; j++) {
      const column = f(Array.from({ length: M.n }, (_, i) => at(M, i, j)), j);
      column.forEach((x, i) => { R.v[i * M.m + j] = x; });
    }
    return R;
  };

  // One row or one column repeated; else as it is.
  const broadcast = (M, n, m) => (M.n === n && M.m === m ? M
    : made(n, m, (i, j) => at(M, M.n === 1 ? 0 : i, M.m === 1 ? 0 : j)));

  const rows = (M, first, last) => matrix(last - first, M.m, M.v.slice(first * M.m, last * M.m));
  function stacked(all) {  // one below another
    const M = matrix(all.reduce((n, own) => n + own.n, 0), all[0].m);
    let place = 0;
    for (const own of all) { M.v.set(own.v, place); place += own.v.length; }
    return M;
  }
  const masked = (A, mask) => (mask ? map((a, d) => a * d, A, mask) : A);

  return { matrix, at, made, map, copy, total, norm, transpose, product, sumOf, columnwise, broadcast,
    rows, stacked, masked };
})();

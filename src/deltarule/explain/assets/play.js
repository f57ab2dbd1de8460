// Playing: sub-steps, or whole training steps, one after the other at a chosen speed.
"use strict";
const Play = (() => {
  const byId = (id) => document.getElementById(id);
  // What happens at each beat, and how long it lasts in milliseconds.
  const SPEEDS = {
    slow: { wait: 2500, text: "slow", act: subStep },
    steady: { wait: 1200, text: "steady", act: subStep },
    fast: { wait: 350, text: "fast", act: subStep },
    steps: { wait: 200, text: "whole steps", act: () => Training.advance(1) > 0 },
    tens: { wait: 100, text: "ten steps", act: () => Training.advance(10) > 0 },
  };
  let timer = null;

  // The next sub-step; after the last one the weights are the new ones, and it begins again.
  function subStep() {
    if (Walk.state.at < Walk.count() - 1) { Walk.go(Walk.state.at + 1); return true; }
    if (Page.data.untraced.length || !Training.advance(1)) return false;
    Walk.go(0);
    return true;
  }
  function beat() {
    const speed = SPEEDS[byId("speed").value];
    if (!speed.act()) { pause(); return; }
    timer = setTimeout(beat, speed.wait);
  }
  function show() {
    byId("play").textContent = timer === null ? "▶ Play" : "❚❚ Pause";
    document.documentElement.dataset.playing = timer !== null;
  }
  function pause() {
    clearTimeout(timer);
    timer = null;
    show();
  }
  function toggle() {
    if (timer !== null) { pause(); return; }
    timer = setTimeout(beat, 0);
    show();
  }
  function boot() {
    const names = Object.entries(SPEEDS).filter(([, { act }]) => act === subStep || !Page.data.untraced.length);
    byId("speed").replaceChildren(...names.map(([name, { text }]) => h("option", { value: name }, text)));
    byId("speed").value = "steady";
    byId("play").addEventListener("click", toggle);
  }
  return { pause, boot };
})();

"use strict";
document.documentElement.classList.add("js");
// Values on hover or tap: what the nearest mark's <title> or title says, at once and on touch screens too. With the
// class above, marks themselves take no pointer, so that the browser's own, slower tip does not come on top.
const tip = document.getElementById("tip");
const said = (mark) => (mark.querySelector(":scope > title") || {}).textContent || mark.dataset.tip;
for (const mark of document.querySelectorAll(".one[title]")) {
  mark.dataset.tip = mark.title;
  mark.removeAttribute("title");
}
const away = (mark, x, y) => {
  const at = mark.getBoundingClientRect();
  return Math.hypot(Math.max(at.left - x, 0, x - at.right), Math.max(at.top - y, 0, y - at.bottom));
};
const tell = (event) => {
  const chart = event.target.closest?.(".curves svg, .matrix svg, .strip.tall");
  const marks = chart ? [...chart.querySelectorAll(":has(> title), [data-tip]")] : [];
  const near = marks.map((mark) => [away(mark, event.clientX, event.clientY), mark]).sort((a, b) => a[0] - b[0])[0];
  tip.hidden = !near || near[0] > 12;
  if (tip.hidden) return;
  tip.textContent = said(near[1]);
  const at = near[1].getBoundingClientRect(), size = tip.getBoundingClientRect();
  const left = at.left + at.width / 2 - size.width / 2;
  tip.style.left = Math.max(8, Math.min(left, innerWidth - size.width - 8)) + "px";
  tip.style.top = (at.top > size.height + 16 ? at.top - size.height - 8 : at.bottom + 8) + "px";
};
for (const kind of ["pointermove", "pointerdown"]) document.addEventListener(kind, tell, { passive: true });
document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

// Pictures open large: by a click, or by the button that lies over each. Arrows lead to the next.
const large = document.getElementById("large");
const zooms = [...document.querySelectorAll(".zoom")];
let open = 0;
const name = (zoom) => zoom.querySelector("svg, img");
const show = (i) => {
  open = (i + zooms.length) % zooms.length;
  const figure = zooms[open].closest("figure").cloneNode(true);
  for (const old of figure.querySelectorAll("button")) old.remove();
  // The clone's photograph has the same id as the one it is a copy of; either will do for its maps.
  for (const image of figure.querySelectorAll("[id]")) image.removeAttribute("id");
  const bar = document.createElement("p");
  for (const [text, act] of [["Previous", () => show(open - 1)], ["Next", () => show(open + 1)], ["Close", () => large.close()]]) {
    const button = document.createElement("button");
    button.textContent = text;
    button.addEventListener("click", act);
    bar.append(button);
  }
  const at = [...large.querySelectorAll("button")].indexOf(document.activeElement);
  large.replaceChildren(figure, bar);
  if (!large.open) large.showModal();
  bar.children[at < 0 ? 2 : at].focus();
};
zooms.forEach((zoom, i) => {
  const button = document.createElement("button");
  button.className = "enlarge";
  const alt = name(zoom).getAttribute("alt") || name(zoom).getAttribute("aria-label");
  button.setAttribute("aria-label", "Enlarge " + alt);
  button.addEventListener("click", () => show(i));
  zoom.append(button);
});
large.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step) show(open + step);
});
large.addEventListener("click", (event) => { if (event.target === large) large.close(); });
large.addEventListener("close", () => zooms[open].querySelector("button").focus());

// A table that is wider than its window says so.
const measure = () => {
  for (const wide of document.querySelectorAll(".wide")) wide.classList.toggle("scrolls", wide.scrollWidth > wide.clientWidth + 1);
};
measure();
addEventListener("resize", measure);
document.addEventListener("toggle", measure, true);
// On paper nothing can be opened.
addEventListener("beforeprint", () => {
  for (const closed of document.querySelectorAll("details")) closed.open = true;
});

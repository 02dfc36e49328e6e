"use strict";
// Values on hover or tap: what a mark's <title> or title says, at once and on touch screens too.
const tip = document.getElementById("tip");
const text = (mark) => mark.dataset.tip || (mark.querySelector(":scope > title") || {}).textContent;
for (const mark of document.querySelectorAll("main svg :has(> title), .one[title]")) {
  // The browser's own, slower tip would come on top of it.
  mark.dataset.tip = mark.getAttribute("title") || text(mark);
  mark.removeAttribute("title");
  mark.querySelector(":scope > title")?.remove();
}
document.addEventListener("pointerover", (event) => {
  const mark = event.target.closest("[data-tip]");
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = text(mark);
  const at = mark.getBoundingClientRect(), size = tip.getBoundingClientRect();
  const left = at.left + at.width / 2 - size.width / 2;
  tip.style.left = Math.max(8, Math.min(left, innerWidth - size.width - 8)) + "px";
  tip.style.top = (at.top > size.height + 16 ? at.top - size.height - 8 : at.bottom + 8) + "px";
});
document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
// On paper nothing can be opened.
addEventListener("beforeprint", () => {
  for (const closed of document.querySelectorAll("details")) closed.open = true;
});

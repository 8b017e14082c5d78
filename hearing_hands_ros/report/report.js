"use strict";
const table = document.querySelector("#table"), body = table.tBodies[0];
const touches = [...body.rows];
const details = JSON.parse(document.querySelector("#details").textContent);
const make = (name, kind = "", text = "") => Object.assign(document.createElement(name), { className: kind, textContent: text });

/* sounds */
const player = new Audio();
let sounds = null, playing = null;
function stop() {
  player.pause();
  document.querySelectorAll(".playing").forEach(one => one.classList.remove("playing"));
  playing = null;
}
function play(key) {
  const again = playing === key;
  stop();
  if (again) return;
  sounds ??= JSON.parse(document.querySelector("#sounds").textContent);
  playing = key;
  player.src = sounds[key];
  player.play().then(() => requestAnimationFrame(follow), () => { if (playing === key) stop(); });
  document.querySelectorAll(`[data-sound="${key}"]`).forEach(one => one.classList.add("playing"));
}
function follow() {
  if (playing === null) return;
  const at = player.duration ? 100 * player.currentTime / player.duration : 0;
  document.querySelectorAll(".playing").forEach(one => one.style.setProperty("--at", `${at}%`));
  requestAnimationFrame(follow);
}
player.addEventListener("ended", stop);

/* sorting */
const places = new Map(touches.map((row, place) => [row, place]));
const numbers = ["time", "speed", "p", "verdict"];
let sorted = "time", down = false;
function keyOf(row) {
  const text = row.dataset[sorted];
  return numbers.includes(sorted) ? (text === "" ? NaN : Number(text)) : text;
}
function order(a, b) {
  const x = keyOf(a), y = keyOf(b);
  const none = [x, y].map(key => key === "" || Number.isNaN(key));
  if (none[0] !== none[1]) return none[0] ? 1 : -1; /* what has none comes last, either way */
  const sign = none[0] || x === y ? 0 : x < y ? -1 : 1;
  return (down ? -sign : sign) || places.get(a) - places.get(b);
}
function sort(name, reverse) {
  [sorted, down] = [name, reverse];
  closeAll();
  table.querySelectorAll("th").forEach(head => {
    const mine = head.querySelector("button")?.dataset.sort === name;
    mine ? head.setAttribute("aria-sort", down ? "descending" : "ascending") : head.removeAttribute("aria-sort");
  });
  document.querySelector("#sorting").value = name;
  body.append(...[...touches].sort(order));
}
table.tHead.addEventListener("click", event => {
  const name = event.target.closest("button")?.dataset.sort;
  if (name) sort(name, sorted === name && !down);
});
document.querySelector("#sorting").addEventListener("change", event => sort(event.target.value, false));

/* filtering */
const chips = [...document.querySelectorAll("[data-verdict].chip")], selects = [...document.querySelectorAll("[data-filter]")];
const search = document.querySelector("#search");
function filter() {
  const wanted = chips.filter(chip => chip.ariaPressed === "true").map(chip => chip.dataset.verdict);
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  closeAll();
  let count = 0;
  for (const row of touches) {
    const data = row.dataset;
    const shown = (!wanted.length || wanted.some(verdict => data.verdicts.split(" ").includes(verdict)))
      && selects.every(select => !select.value || data[select.dataset.filter].split("|").includes(select.value))
      && words.every(word => data.words.includes(word));
    row.hidden = !shown;
    count += shown;
  }
  document.querySelector("#shown").value = `${count} of ${touches.length}`;
  document.querySelector("#nothing").hidden = count > 0;
  focusable(visible()[0]);
}
function showAll() {
  chips.forEach(chip => { chip.ariaPressed = "false"; });
  [...selects, search].forEach(input => { input.value = ""; });
  filter();
}
chips.forEach(chip => chip.addEventListener("click", () => {
  chip.ariaPressed = chip.ariaPressed === "true" ? "false" : "true";
  filter();
}));
selects.forEach(select => select.addEventListener("change", filter));
search.addEventListener("input", filter);
document.querySelector("#reset").addEventListener("click", showAll);

/* one touch, opened */
const closeAll = () => touches.forEach(close);
function close(row) {
  if (row.ariaExpanded !== "true") return;
  row.ariaExpanded = "false";
  row.nextElementSibling.remove();
}
function open(row) {
  if (row.ariaExpanded === "true") return;
  row.ariaExpanded = "true";
  const more = make("tr", "more"), cell = make("td");
  cell.colSpan = row.cells.length;
  const told = details.touches[row.id.slice(1)];
  cell.append(...told.entries.map(entry => one(row, told, entry)));
  more.append(cell);
  row.after(more);
}
function one(row, told, entry) {
  const box = make("div", "one"), panels = make("div", "panels"), about = make("div", "about");
  if (told.entries.length > 1) {
    const head = make("h4");
    head.append(make("i", `key ${entry.colour}`, entry.letter), `${entry.name}`);
    box.append(head);
  }
  for (const [name, source] of Object.entries(entry.pictures)) {
    if (row.querySelector(source)) panels.append(panel(name, row.querySelector(source), entry, row));
  }
  if (told.spot) {
    const figure = make("figure"), image = make("img", "spot");
    image.src = told.spot;
    image.alt = "the touched place, from near by";
    figure.append(make("figcaption", "", "touched place, 12 cm wide"), image);
    panels.append(figure);
  }
  if (panels.childElementCount) box.append(panels);
  about.append(list("", entry.facts), list("scores, larger is odder", entry.scores), list("p-values of baselines", entry.baselines));
  box.append(about);
  return box;
}
function panel(name, source, entry, row) {
  const figure = make("figure"), big = make("div", name === "difference" ? "big differing" : "big"), copy = source.cloneNode(true);
  copy.querySelector(".key")?.remove();
  copy.tabIndex = 0;
  if (copy.dataset.sound === playing) copy.classList.add("playing");
  big.append(copy);
  const put = (kind, place) => { const mark = make("span", kind); Object.assign(mark.style, place); big.append(mark); return mark; };
  put("begin", { left: `${100 * details.before_s / entry.seconds}%` });
  if (entry.frame && name !== "predicted") {
    const [left, top, width, height] = entry.frame.map(value => `${value}%`);
    put("frame", { left, top, width, height });
  }
  for (const [text, top] of details.hz) put("tick hz", { top: `${top}%` }).textContent = text;
  for (let s = 0; s < entry.seconds - details.before_s; s += entry.seconds > 1.2 ? 0.5 : 0.2)
    put("tick s", { left: `${100 * (details.before_s + s) / entry.seconds}%` }).textContent = s ? s.toFixed(1) : "0 s";
  figure.append(make("figcaption", "", name), big);
  return figure;
}
function list(title, values) {
  const box = make("div"), names = Object.keys(values);
  if (!names.length) return box;
  if (title) box.append(make("h4", "", title));
  const items = make("dl", names.length > 8 ? "facts many" : "facts");
  for (const name of names) {
    const pair = make("div");
    pair.append(make("dt", "", name.replaceAll("_", " ")), make("dd", "", values[name] ?? "–"));
    items.append(pair);
  }
  box.append(items);
  return box;
}

/* mouse, keyboard, links */
const visible = () => [...body.rows].filter(row => row.classList.contains("touch") && !row.hidden);
function focusable(row) {
  touches.forEach(other => { other.tabIndex = other === row ? 0 : -1; });
}
function go(row) {
  if (!row) return;
  focusable(row);
  row.focus();
  row.scrollIntoView({ block: "nearest" });
}
body.addEventListener("click", event => {
  const sound = event.target.closest("[data-sound]"), row = event.target.closest("tr.touch");
  if (sound) return play(sound.dataset.sound);
  if (!row || window.getSelection().toString()) return;
  row.ariaExpanded === "true" ? close(row) : open(row);
  focusable(row);
});
body.addEventListener("keydown", event => {
  const row = event.target;
  if (!row.matches("tr.touch") || event.ctrlKey || event.metaKey || event.altKey) return;
  const rows = visible(), place = rows.indexOf(row);
  const does = {
    ArrowDown: () => go(rows[place + 1]), ArrowUp: () => go(rows[place - 1]), Home: () => go(rows[0]), End: () => go(rows.at(-1)),
    Enter: () => row.click(), " ": () => row.click(), Escape: () => close(row),
    p: () => row.querySelector("[data-sound$=predicted]")?.click(), h: () => row.querySelector("[data-sound$=heard]")?.click(),
  }[event.key];
  if (!does) return;
  event.preventDefault();
  does();
});
document.addEventListener("keydown", event => {
  if (event.key !== "/" || event.target.matches("input, select")) return;
  event.preventDefault();
  search.focus();
});
function follow_link() {
  const row = /^#t\d+$/.test(location.hash) && document.querySelector(location.hash);
  if (!row) return;
  if (row.hidden) showAll();
  open(row);
  go(row);
  row.scrollIntoView({ block: "center" });
}
window.addEventListener("hashchange", follow_link);
follow_link();

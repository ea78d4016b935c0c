"use strict";
const SIZE = 50; // utterances a page
const GAP = "***";
const collator = new Intl.Collator(undefined, {numeric: true});
// A column's heading, the value that it sorts by, its text, and whether it first falls.
const COLUMNS = [
  ["id", row => row.id, row => row.id, false],
  ["speaker", row => row.speaker, row => row.speaker ?? "", false],
  ["seconds", row => row.seconds, row => row.seconds?.toFixed(2) ?? "", true],
  ["words", row => row.words, row => row.words, true],
  ["errors", row => row.errors, row => kinds(row), true],
  ["WER", row => row.rate, row => percent(row.rate), true],
  ["confidence", row => row.sure, row => row.sure === null ? "" : row.sure.toFixed(0) + " %", false],
];

function kinds(row) {
  const counted = ["S", "D", "I"].map(kind => [row.edits.split(kind).length - 1, kind]);
  const named = counted.filter(([count]) => count).map(([count, kind]) => count + " " + kind);
  return named.join(", ") || "0";
}

function percent(rate) {
  return (100 * rate).toFixed(2) + " %";
}

function element(tag, text, kind) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function readRows(columns) {
  return columns.id.map((id, place) => {
    const edits = columns.edits[place], confidences = columns.confidences[place];
    const right = edits.split("=").length - 1, extra = edits.split("I").length - 1;
    const words = edits.length - extra, errors = edits.length - right;
    const recording = columns.recording[place];
    return {
      id, edits, words, errors, confidences,
      speaker: columns.speaker[place],
      seconds: columns.seconds[place],
      said: columns.said[place],
      heard: columns.heard[place] ?? columns.said[place],
      source: recording === null ? null : columns.start + recording,
      picture: Object.hasOwn(columns.pictures, id) ? columns.pictures[id] : null,
      better: columns.better?.[place],
      rate: errors / Math.max(words, 1),
      sure: confidences?.length
        ? confidences.reduce((sum, one) => sum + one, 0) / confidences.length : null,
    };
  });
}

// The columns of an alignment: [kind, said, heard, percent sure], "" where there is no word.
function alignment(row) {
  const said = row.said.split(" "), heard = row.heard.split(" ");
  let first = 0, second = 0;
  return [...row.edits].map(kind => {
    const above = kind === "I" ? "" : said[first++];
    if (kind === "D") return [kind, above, "", null];
    const below = heard[second], sure = row.confidences?.[second] ?? null;
    second += 1;
    return [kind, above, below, sure];
  });
}

// Made at the first search: sides in one piece each, so that phrases are found, and the errors.
function searchable(row) {
  if (row.searched === undefined) {
    const errors = alignment(row).filter(([kind]) => kind !== "=")
      .map(([, said, heard]) => (said || GAP) + " → " + (heard || GAP));
    row.searched = [row.id, row.speaker ?? "", row.said, row.heard, ...errors].join("\n").toLowerCase();
  }
  return row.searched;
}

function drawWords(row) {
  const line = element("div", undefined, "words");
  line.dir = "auto";
  for (const [kind, said, heard, sure] of alignment(row)) {
    const column = element("b", undefined, kind === "=" ? "" : kind.toLowerCase());
    const below = element("u", heard);
    if (sure !== null) {
      below.title = "confidence " + sure + " %";
      below.style.setProperty("--unsure", Math.round(0.85 * (100 - sure)) + "%");
    }
    if (kind === "I") below.replaceChildren(element("ins", heard));
    column.append(
      kind === "D" ? element("del", said) : kind === "I" ? element("i", GAP) : said,
      element("br"), kind === "D" ? element("i", GAP) : below);
    line.append(column, " ");
  }
  if (!row.edits) line.append(element("span", "(nothing said, nothing recognised)", "dim"));
  return line;
}

function makePlayer(row) {
  const player = element("audio");
  player.controls = true;
  player.preload = "none";
  player.src = row.source;
  player.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== player) other.pause();
  });
  return player;
}

// Where a recording begins in its file: media fragments are "#t=BEGIN,END".
function beginning(source) {
  return Number(source.match(/#t=([\d.e+-]+)/)?.[1] ?? 0);
}

function fillPicture(holder, row, player) {
  holder.innerHTML = row.picture; // markup of our own, in which all text is escaped
  const drawn = holder.querySelector("[data-seconds]");
  if (!player || !drawn) return;
  const seconds = Number(drawn.dataset.seconds), start = beginning(row.source);
  const svg = drawn.querySelector("svg");
  const head = document.createElementNS(svg.namespaceURI, "line");
  for (const [name, value] of Object.entries({y1: 0, y2: "100%", stroke: "var(--text)"}))
    head.setAttribute(name, value);
  head.setAttribute("visibility", "hidden");
  svg.append(head);
  const follow = () => {
    const place = 100 * (player.currentTime - start) / seconds + "%";
    head.setAttribute("x1", place);
    head.setAttribute("x2", place);
    head.setAttribute("visibility", "visible");
    if (!player.paused && head.isConnected) requestAnimationFrame(follow);
  };
  for (const event of ["play", "seeked"]) player.addEventListener(event, follow);
  svg.addEventListener("click", event => {
    const box = svg.getBoundingClientRect();
    const wanted = start + seconds * (event.clientX - box.left) / box.width;
    const go = () => { player.currentTime = wanted; };
    if (player.readyState) go();
    else player.addEventListener("loadedmetadata", go, {once: true});
    player.play();
  });
}

function makePicture(row, player, open) {
  const details = element("details", undefined, "picture"), holder = element("div", undefined, "drawing");
  details.append(element("summary", "sound and probabilities"), holder);
  details.addEventListener("toggle", () => {
    if (details.open && !holder.hasChildNodes()) fillPicture(holder, row, player);
  });
  details.open = open;
  return details;
}

function makeRow(row, open) {
  const body = element("tbody"), numbers = element("tr"), rest = element("tr");
  for (const [heading, , text] of COLUMNS) {
    const cell = element(heading === "id" ? "th" : "td", text(row), heading === "WER" ? "main" : "");
    if (heading === "id") cell.scope = "row";
    numbers.append(cell);
  }
  const whole = element("td", undefined, "whole"), line = element("div", undefined, "line");
  whole.colSpan = COLUMNS.length;
  line.append(drawWords(row));
  const player = row.source === null ? null : makePlayer(row);
  if (player) line.append(player);
  whole.append(line);
  if (row.picture) whole.append(makePicture(row, player, open));
  rest.append(whole);
  body.append(numbers, rest);
  return body;
}

class Listing {
  constructor(section) {
    const find = selector => section.querySelector(selector);
    this.rows = readRows(JSON.parse(find("script[type='application/json']").textContent));
    this.table = find(".utterances");
    this.search = find("[type=search]");
    this.boxes = {wrong: find(".wrong"), pictured: find(".pictured")};
    this.better = find(".better"); // where two systems are compared
    this.status = find("[role=status]");
    this.place = find(".place");
    this.back = find(".back");
    this.on = find(".on");
    this.first = 0;
    this.makeHead();
    this.search.addEventListener("input", () => this.filter());
    for (const box of Object.values(this.boxes)) box?.addEventListener("change", () => this.filter());
    this.better?.addEventListener("change", () => this.filter());
    this.back.addEventListener("click", () => this.turn(-1));
    this.on.addEventListener("click", () => this.turn(1));
    for (const button of section.querySelectorAll("[data-search]"))
      button.addEventListener("click", () => {
        this.search.value = button.dataset.search;
        this.filter();
        this.search.scrollIntoView({block: "start"});
      });
    this.sort("errors", true);
  }

  makeHead() {
    this.headings = new Map();
    for (const [heading, , , falls] of COLUMNS) {
      const cell = element("th"), button = element("button", heading);
      cell.scope = "col";
      button.addEventListener("click", () =>
        this.sort(heading, this.sorted === heading ? !this.falling : falls));
      cell.append(button);
      this.headings.set(heading, cell);
      this.table.querySelector("thead tr").append(cell);
    }
  }

  sort(heading, falling) {
    this.headings.get(this.sorted)?.removeAttribute("aria-sort");
    this.headings.get(heading).setAttribute("aria-sort", falling ? "descending" : "ascending");
    [this.sorted, this.falling] = [heading, falling];
    const key = COLUMNS.find(([name]) => name === heading)[1], sign = falling ? -1 : 1;
    const missing = row => (key(row) === null ? 1 : 0); // last, however sorted
    const compare = (a, b) => (typeof a === "string" ? collator.compare(a, b) : a - b);
    this.rows.sort((a, b) =>
      missing(a) - missing(b) || (missing(a) ? 0 : sign * compare(key(a), key(b)))
      || b.rate - a.rate || collator.compare(a.id, b.id));
    this.filter();
  }

  filter() {
    const wanted = this.search.value.trim().toLowerCase();
    const wrong = this.boxes.wrong.checked, pictured = this.boxes.pictured?.checked;
    const better = this.better?.value ? Number(this.better.value) : null;
    this.found = this.rows.filter(row =>
      (!wrong || row.errors) && (!pictured || row.picture)
      && (better === null || row.better === better)
      && (!wanted || searchable(row).includes(wanted)));
    this.first = 0;
    this.show();
  }

  turn(pages) {
    this.first += pages * SIZE;
    this.show();
    this.search.scrollIntoView({block: "start"});
  }

  show() {
    const shown = this.found.slice(this.first, this.first + SIZE);
    const open = shown.findIndex(row => row.picture); // one, so that it is seen what there is
    while (this.table.tBodies.length) this.table.tBodies[0].remove();
    this.table.append(...shown.map((row, place) => makeRow(row, place === open)));
    const count = this.found.length.toLocaleString("en");
    const last = this.first + shown.length;
    this.status.textContent = count + " of " + this.rows.length.toLocaleString("en");
    this.place.textContent = shown.length ? this.first + 1 + " to " + last + " of " + count : "none";
    this.back.disabled = this.first === 0;
    this.on.disabled = last >= this.found.length;
  }
}

for (const section of document.querySelectorAll("section")) new Listing(section);

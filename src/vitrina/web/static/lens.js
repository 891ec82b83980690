// The shopper's page: the photo is shrunk here, a box says what is meant, results come without a reload.
// Without this script the form sends the photo as it is, and the page comes back with the results.

const LONGEST_PX = 1024;
const LARGEST_BYTES = 200_000;
const SMALLEST = 0.06;
const STEP = 0.02;
const PAUSE_MS = 350;

const form = document.getElementById("lens-form");
const input = document.getElementById("lens-photo");
const drop = document.getElementById("lens-drop");
const stage = document.getElementById("lens-stage");
const canvas = document.getElementById("lens-canvas");
const box = document.getElementById("lens-box");
const others = document.getElementById("lens-others");
const again = document.getElementById("lens-again");
const results = document.getElementById("lens-results");

let photo = null;
let drawn = null; // [left, top, right, bottom] as fractions, or null for no box
let running = null;
let waiting = 0;

async function take(file) {
  let picture;
  try {
    picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    say(results.dataset.unreadable);
    return;
  }
  const scale = Math.min(1, LONGEST_PX / Math.max(picture.width, picture.height));
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  photo = await packed();
  drawn = null;
  stage.hidden = again.hidden = false;
  drop.classList.add("small");
  showBox();
  search();
}

async function packed() {
  for (const quality of [0.85, 0.7, 0.5, 0.3]) {
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
    if (blob.size <= LARGEST_BYTES || quality === 0.3) return blob;
  }
  return null;
}

function say(text) {
  const line = document.createElement("p");
  line.className = "banner fault";
  line.setAttribute("role", "alert");
  line.textContent = text;
  results.replaceChildren(line);
}

function skeleton() {
  const list = document.createElement("ul");
  list.className = "lens-cards";
  for (let number = 0; number < 4; number += 1) {
    const one = document.createElement("li");
    one.className = "card lens-card skeleton";
    list.append(one);
  }
  const word = document.createElement("p");
  word.className = "out-of-sight";
  word.textContent = results.dataset.looking;
  results.replaceChildren(word, list);
}

function searchSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(search, PAUSE_MS);
}

async function search() {
  clearTimeout(waiting);
  const body = new FormData(form);
  body.delete("photo");
  if (photo) body.set("photo", photo, "photo.jpg");
  else if (!form.elements.text.value.trim()) return;
  if (photo && drawn) body.set("box", drawn.map((value) => value.toFixed(4)).join(","));
  running?.abort();
  running = new AbortController();
  results.setAttribute("aria-busy", "true");
  skeleton();
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Part": "results" }, signal: running.signal });
    results.innerHTML = await answer.text();
    showFound();
  } catch (error) {
    if (error.name === "AbortError") return;
    say(results.dataset.failed);
  }
  results.setAttribute("aria-busy", "false");
}

function showFound() {
  const found = results.querySelector(".lens-found");
  others.replaceChildren();
  if (!found || !photo) return;
  if (!drawn) {
    place(box, parse(found.dataset.box));
    box.hidden = false;
    box.classList.add("guess");
  }
  for (const text of found.dataset.others.split(";").filter(Boolean)) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "lens-other";
    button.setAttribute("aria-label", others.dataset.label);
    place(button, parse(text));
    button.addEventListener("click", () => { drawn = parse(text); showBox(); search(); });
    others.append(button);
  }
}

function parse(text) {
  return text.split(",").map(Number);
}

function place(element, [left, top, right, bottom]) {
  Object.assign(element.style, {
    left: `${left * 100}%`, top: `${top * 100}%`, width: `${(right - left) * 100}%`, height: `${(bottom - top) * 100}%`,
  });
  element.dataset.at = [left, top, right, bottom].join(",");
}

function showBox() {
  box.hidden = !drawn;
  box.classList.remove("guess");
  if (drawn) place(box, drawn);
}

function within([left, top, right, bottom]) {
  const limit = (value) => Math.min(1, Math.max(0, value));
  return [limit(left), limit(top), limit(right), limit(bottom)];
}

function begin() {
  drawn ??= parse(box.dataset.at ?? "0.1,0.1,0.9,0.9");
  return [...drawn];
}

box.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  box.focus({ preventScroll: true });
  box.setPointerCapture(event.pointerId);
  const start = begin();
  const handle = event.target.dataset.handle;
  const size = stage.getBoundingClientRect();
  const from = [event.clientX, event.clientY];
  const move = (now) => {
    const dx = (now.clientX - from[0]) / size.width;
    const dy = (now.clientY - from[1]) / size.height;
    drawn = handle ? resized(start, handle, dx, dy) : moved(start, dx, dy);
    showBox();
  };
  const end = () => {
    box.removeEventListener("pointermove", move);
    search();
  };
  box.addEventListener("pointermove", move);
  box.addEventListener("pointerup", end, { once: true });
});

function moved([left, top, right, bottom], dx, dy) {
  const x = Math.min(Math.max(dx, -left), 1 - right);
  const y = Math.min(Math.max(dy, -top), 1 - bottom);
  return [left + x, top + y, right + x, bottom + y];
}

function resized([left, top, right, bottom], handle, dx, dy) {
  if (handle.includes("w")) left = Math.min(left + dx, right - SMALLEST);
  if (handle.includes("e")) right = Math.max(right + dx, left + SMALLEST);
  if (handle.includes("n")) top = Math.min(top + dy, bottom - SMALLEST);
  if (handle.includes("s")) bottom = Math.max(bottom + dy, top + SMALLEST);
  return within([left, top, right, bottom]);
}

box.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  const start = begin();
  drawn = event.shiftKey ? resized(start, "se", ...step) : moved(start, ...step);
  showBox();
  searchSoon();
});

document.getElementById("lens-whole").addEventListener("click", () => { drawn = null; showBox(); search(); });

input.addEventListener("change", () => { if (input.files[0]) take(input.files[0]); });

for (const button of form.querySelectorAll("[data-sample]")) {
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    take(await (await fetch(button.dataset.sample)).blob());
  });
}

for (const name of ["dragover", "dragenter"]) {
  document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
document.addEventListener("dragleave", () => drop.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
  if (file) take(file);
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
for (const field of form.querySelectorAll(".lens-filters select, .lens-filters input")) {
  field.addEventListener("change", () => { if (photo || form.elements.text.value.trim()) search(); });
}

const wanted = new URLSearchParams(location.search).get("sample");
if (wanted) form.querySelector(`[data-sample$="/${CSS.escape(wanted)}"]`)?.click();

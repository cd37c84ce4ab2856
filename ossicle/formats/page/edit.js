// Corrections by hand: text, names of speakers, what has been checked. Kept in this browser until they are exported or discarded.

const SAVE_MILLISECONDS = 500;
const STORE = `ossicle-transcript-${digest(dataText)}`;

const keeper = { kept: null, timer: 0, canStore: true };

// A short name for a text, the same on every opening; no secret depends on it.
function digest(text) {
  let high = 0xdeadbeef, low = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    high = Math.imul(high ^ text.charCodeAt(i), 2654435761);
    low = Math.imul(low ^ text.charCodeAt(i), 1597334677);
  }
  return [high, low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}

function setEditing(isOn) {
  if (isOn && !isSettled()) return;
  if (!isOn) readEdits();
  state.isEditing = isOn;
  app.classList.toggle("editing", isOn);
  byId("edit").setAttribute("aria-pressed", isOn);
  byId("editing").hidden = !isOn;
  for (const paragraph of paragraphs) {
    if (isOn) makeEditable(paragraph.body);
    else paragraph.body.removeAttribute("contenteditable");
    if (!isOn && paragraph.isStale) repaint(paragraph);
  }
  if (!isOn) afterChange();
}

function makeEditable(body) {
  try {
    body.contentEditable = "plaintext-only";
  } catch {                             // Firefox before 136; what is pasted is made plain in any case
    body.contentEditable = "true";
  }
  body.spellcheck = true;
}

// Changes of an earlier visit must be taken up or thrown away before new ones are made, or they would be lost unseen.
function isSettled() {
  if (!keeper.kept) return true;
  byId("restore").focus();
  tell("First say what is to become of the changes that were kept");
  return false;
}

function onInput(event) {
  const paragraph = paragraphAt(event.target);
  if (!paragraph) return;
  paragraph.isDirty = true;
  clearTimeout(keeper.timer);
  keeper.timer = setTimeout(() => { readEdits(); afterChange(); }, SAVE_MILLISECONDS);
}

// Take over what was typed. The page itself is left alone, so that the browser's undo goes on working.
function readEdits() {
  for (const paragraph of paragraphs.filter((one) => one.isDirty)) {
    setText(paragraph, paragraph.body.textContent.replace(/\s*[\r\n]+\s*/gu, " ").trim());
    paragraph.isDirty = false;
    paragraph.isStale = true;
    paragraph.box.classList.toggle("changed", isChanged(paragraph));
  }
}

function setText(paragraph, text) {
  paragraph.text = text;
  paragraph.words = text === paragraph.originalText ? paragraph.original : mergeWords(paragraph.original, text && paragraph.lead + text);
}

function repaint(paragraph) {
  paragraph.isStale = false;
  paintWords(paragraph);
}

function afterChange() {
  gatherWords();
  orderWords();
  keep();
  if (search.query) runSearch(false);
  paintReview();
  drawBand();
}

function undoParagraph(paragraph) {
  paragraph.isDirty = false;
  setText(paragraph, paragraph.originalText);
  repaint(paragraph);
  afterChange();
}

function rename(speaker, name) {
  if (name && name !== speaker) state.names[speaker] = name;
  else delete state.names[speaker];
  paragraphs.forEach(paintSpeaker);
  paintHead();
  readEdits();
  afterChange();
}

function askName(paragraph) {
  if (!isSettled()) return;
  const speaker = speakerOf(paragraph.original[0]);
  byId("name").value = nameOf(speaker);
  byId("name").placeholder = speaker;
  byId("naming").onclose = () => {
    if (byId("naming").returnValue === "save") rename(speaker, byId("name").value.trim());
  };
  byId("naming").returnValue = "";
  byId("naming").showModal();
  byId("name").select();
}

function changesNow() {
  const texts = paragraphs.filter(isChanged).map((paragraph) => [paragraph.key, paragraph.text]);
  return { texts: Object.fromEntries(texts), names: state.names, checked: [...state.checked] };
}

const countChanges = ({ texts, names, checked }) => Object.keys(texts).length + Object.keys(names).length + checked.length;

function keep() {
  const changes = changesNow();
  try {
    if (countChanges(changes)) localStorage.setItem(STORE, JSON.stringify({ at: Date.now(), ...changes }));
    else localStorage.removeItem(STORE);
    keeper.canStore = true;
  } catch {
    if (keeper.canStore) tell("This browser does not keep changes; export them before you close the page");
    keeper.canStore = false;
  }
}

function offerKept() {
  try {
    keeper.kept = JSON.parse(localStorage.getItem(STORE));
  } catch {
    keeper.kept = null;
  }
  if (!keeper.kept) return;
  const { at, texts, names, checked } = keeper.kept, say = (number, what) => (number ? [`${number} ${what}${number === 1 ? "" : "s"}`] : []);
  const what = [...say(Object.keys(texts).length, "paragraph"), ...say(Object.keys(names).length, "name"), ...say(checked.length, "check")];
  byId("kept-what").textContent = `Changes of ${new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })} are kept in this browser (${what.join(", ")}). `;
  byId("kept").hidden = false;
}

function restore() {
  const { texts, names, checked } = keeper.kept;
  const byKey = new Map(paragraphs.map((paragraph) => [paragraph.key, paragraph]));
  for (const [key, text] of Object.entries(texts)) {
    const paragraph = byKey.get(key);
    if (!paragraph) continue;
    setText(paragraph, text);
  }
  state.names = names;
  state.checked = new Set(checked);
  settle();
  paragraphs.forEach((paragraph) => { paintWords(paragraph); paintSpeaker(paragraph); });
  paintHead();
  afterChange();
}

function settle() {
  keeper.kept = null;
  byId("kept").hidden = true;
}

function listenToEdits() {
  byId("text").addEventListener("input", onInput);
  byId("text").addEventListener("beforeinput", (event) => {
    if (["insertParagraph", "insertLineBreak"].includes(event.inputType)) event.preventDefault();
  });
  for (const event of ["paste", "drop"]) {              // as plain text, in one line, whatever was copied
    byId("text").addEventListener(event, (happening) => {
      const text = (happening.clipboardData ?? happening.dataTransfer).getData("text/plain").replace(/\s*[\r\n]+\s*/gu, " ");
      happening.preventDefault();
      if (event === "paste") document.execCommand("insertText", false, text);
    });
  }
  byId("edit").addEventListener("click", () => setEditing(!state.isEditing));
  byId("unname").addEventListener("click", () => byId("naming").close("cancel"));
  byId("restore").addEventListener("click", restore);
  byId("discard").addEventListener("click", () => { settle(); keep(); });
  addEventListener("beforeunload", (event) => {
    readEdits();
    if (!keeper.kept) keep();
    if (!keeper.canStore && countChanges(changesNow())) event.preventDefault();
  });
  offerKept();
}

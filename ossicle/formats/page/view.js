// Paints the transcript: paragraphs, words, gaps, facts. Everything written goes in as text, never as markup.

const SURE = [0.9, 0.7, 0.5];           // below each of these a word is tinted one step stronger
const NUM_COLOURS = 8;
const LINE_LETTERS = 72;                // about as many stand on one line; only for a first guess of heights

document.body.append(document.getElementById("shell").content.cloneNode(true));

const byId = (id) => document.getElementById(id);
const app = byId("app");

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function paintTranscript() {
  const parts = [];
  let left = [...gaps], previous = null;
  for (const paragraph of paragraphs) {
    const start = paragraph.original[0].from;
    const before = left.filter((gap) => gap.end <= start + 0.01);
    left = left.filter((gap) => !before.includes(gap));
    parts.push(...before.map(gapElement));
    const quiet = previous && !before.length ? start - previous.original.at(-1).to : 0;
    if (quiet >= QUIET_SECONDS) parts.push(element("p", { className: "quiet" }, `${lengthOf(quiet)} without words`));
    const isTurn = !previous || before.length > 0 || speakerOf(previous.original[0]) !== speakerOf(paragraph.original[0]);
    parts.push(paragraphElement(paragraph, isTurn));
    previous = paragraph;
  }
  if (!paragraphs.length) parts.push(element("p", { className: "empty" }, "Nothing was said in this recording, or nothing was heard."));
  byId("text").replaceChildren(...parts, ...left.map(gapElement));
}

function paragraphElement(paragraph, isTurn) {
  const [word] = paragraph.original, speaker = speakerOf(word);
  const time = element("button", { type: "button", className: "time", title: "Play from here" }, clock(word.from));
  const undo = element("button", { type: "button", className: "undo", title: "Take back all changes to this paragraph" }, "Undo");
  paragraph.body = element("p", { className: "body", dir: "auto", lang: tagOf(languageOf(word)) });
  paragraph.box = element("div", { className: isTurn && speakers.length ? "p turn" : "p" }, time, undo);
  const who = speaker === null ? element("span", { className: "who nobody" }, "Unknown speaker")
    : element("button", { type: "button", className: "who", title: "Rename this speaker" });
  paragraph.box.append(...(isTurn && speakers.length ? [who] : []), paragraph.body);
  const isCut = gaps.some((gap) => gap.start < paragraph.original.at(-1).to && word.from < gap.end);
  paragraph.box.classList.toggle("cut", isCut);
  const lines = Math.ceil(widthOf(paragraph.originalText) / LINE_LETTERS);
  paragraph.box.style.setProperty("contain-intrinsic-block-size", `auto ${lines * 1.9 + 1 + (isTurn ? 2.1 : 0)}rem`);
  paragraphOf.set(paragraph.box, paragraph);
  paintWords(paragraph);
  paintSpeaker(paragraph);
  return paragraph.box;
}

const paragraphOf = new WeakMap();      // by the element around it
const wordOf = new WeakMap();           // by its element

function paintWords(paragraph) {
  const parts = [];
  paragraph.words.forEach((word, i) => {
    const lead = leadOf(word);
    if (i && lead) parts.push(lead);
    word.element = element("span", { className: classOf(word) }, word.text.slice(lead.length));
    wordOf.set(word.element, word);
    parts.push(word.element);
  });
  paragraph.body.replaceChildren(...parts);
  paragraph.box.classList.toggle("changed", isChanged(paragraph));
}

function paintSpeaker(paragraph) {
  const speaker = speakerOf(paragraph.original[0]);
  if (speaker === null) return;
  const name = nameOf(speaker), number = speakerNames().indexOf(name);
  paragraph.box.style.setProperty("--who", `var(--who-${number % NUM_COLOURS})`);
  const button = paragraph.box.querySelector(".who");
  if (button) button.textContent = name;
}

function classOf(word) {
  const isDoubtful = word.confidence !== null && !state.checked.has(word.place);
  const level = isDoubtful ? SURE.filter((bound) => word.confidence < bound).length : 0;
  const guess = hasMeasuredTimes && isGuessed(word) && !word.isNew ? " guess" : "";
  return `w${level ? ` d${level}` : ""}${guess}`;
}

const isChanged = (paragraph) => paragraph.text !== paragraph.originalText;

function gapElement(gap) {
  const listen = element("button", { type: "button", className: "listen" }, "Listen");
  listen.dataset.at = gap.start;
  const box = element("div", { className: "gap", role: "note" },
    element("span", {}, `${clock(gap.start)} to ${clock(gap.end)}: text is missing or cut short. ${sentence(gap.reason)}`), listen);
  gapElements.set(gap, box);
  return box;
}

const gapElements = new Map();
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

function paintHead() {
  byId("title").textContent = document.title;
  const languages = (transcript.language ?? "").split(",").filter(Boolean);
  const count = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;
  byId("facts").textContent = [clock(transcript.duration), languages.join(", "), count(originalWords.length, "word"),
    speakerNames().length ? count(speakerNames().length, "speaker") : "",
    originalWords.length && !hasMeasuredTimes ? "word times estimated" : ""].filter(Boolean).join(" \u2002·\u2002 ");
  const missing = transcript.coverage.missing_seconds || gaps.reduce((sum, gap) => sum + gap.end - gap.start, 0);
  byId("incomplete").hidden = !gaps.length;
  byId("incomplete").textContent = `This transcript is incomplete: text is missing or cut short in ${count(gaps.length, "place")
  } (${lengthOf(missing)}), marked below.`;
}

function paintLegend() {
  const tint = (level, text) => element("span", { className: `w d${level}` }, text);
  const parts = hasConfidence
    ? ["Less sure: ", ...SURE.flatMap((bound, i) => [tint(i + 1, `below ${bound * 100} %`), " "])]
    : ["This transcript says nothing of how sure the model was. "];
  if (hasMeasuredTimes && originalWords.some(isGuessed)) {
    parts.push("\u2002", element("span", { className: "guess" }, "Dotted"), ": time estimated");
  }
  byId("legend").replaceChildren(...parts);
  byId("tint").hidden = !hasConfidence;
}

function paintMade() {
  const { model, aligner, coverage, confidence, timings } = transcript, percent = (share) => `${Math.round(share * 1000) / 10} %`;
  const entries = {
    "Recording": transcript.source,
    "Model": model && `${model.name}, engine ${model.engine}, weights ${model.weights}, on ${model.device}`,
    "Word times": aligner ? aligner.name : hasMeasuredTimes ? "measured by the model itself" : "estimated by the length of words",
    "Decoded to the end": `${percent(coverage.ratio)} of the speech; ${lengthOf(coverage.silent_seconds)} were silent`,
    "Mean confidence": confidence === null ? null : percent(confidence),
    "Time of work": timings.total ? lengthOf(timings.total) : null,
    "Versions": model && Object.entries(model.versions).map((entry) => entry.join(" ")).join(", "),
  };
  byId("made").replaceChildren(...Object.entries(entries).filter(([, value]) => value)
    .flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

// Say something to the one who reads and to the one who listens.
function tell(message) {
  byId("said").textContent = message;
  byId("toast").textContent = message;
  byId("toast").hidden = false;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { byId("toast").hidden = true; }, 4000);
}

// The transcript as it reads now, out of the page: text, subtitles, JSON in our own schema, or the page itself.

const PREVIEW_LETTERS = 1500;
const EDITED = "edited by hand: ";
const FORMATS = [
  { name: "txt", label: "Text", mime: "text/plain", write: writeText },
  { name: "srt", label: "SRT subtitles", mime: "application/x-subrip", write: writeSrt },
  { name: "vtt", label: "WebVTT", mime: "text/vtt", write: writeVtt },
  { name: "json", label: "JSON", mime: "application/json", write: () => `${JSON.stringify(transcriptNow(), null, 2)}\n` },
  { name: "html", label: "This page", mime: "text/html", write: writePage },
];

function writeText() {
  const withNames = byId("with-names").checked && speakerNames().length > 0, withTimes = byId("with-times").checked;
  let last = null;
  const lines = paragraphs.filter((paragraph) => paragraph.text).map((paragraph) => {
    const speaker = speakerOf(paragraph.original[0]), name = speaker === null ? null : nameOf(speaker);
    const said = withNames && name !== last && name !== null ? `${name}: ` : "";
    last = name;
    return `${withTimes ? `[${clock(paragraph.words[0].from)}] ` : ""}${said}${paragraph.text}`;
  });
  return `${lines.join("\n\n")}\n`;
}

// The transcript with every change in it, as Transcript.from_dict reads it. What was decoded stays as it was in `chunks`.
function transcriptNow() {
  const changed = paragraphs.filter(isChanged), touched = new Set();
  for (const { original, words } of changed) [...original, ...words].forEach((word) => touched.add(word.segment));
  const wordsOf = Map.groupBy ? Map.groupBy(state.words, (word) => word.segment) : grouped(state.words);
  const segments = transcript.segments.map((segment, i) => segmentNow(segment, wordsOf.get(i) ?? [], touched.has(i)))
    .filter((segment, i) => segment.text || !touched.has(i));
  const known = segments.flatMap((segment) => segment.words).map((word) => word.confidence).filter((confidence) => confidence !== null);
  const numWords = changed.reduce((sum, { words }) => sum + words.filter((word) => word.isNew).length, 0);
  const note = changed.length ? [`${EDITED}${changed.length} paragraphs, ${numWords} words written anew`] : [];
  return {
    ...transcript,
    text: changed.length ? textOf(segments).trimStart() : transcript.text,
    confidence: meanOf(known),
    segments,
    warnings: [...transcript.warnings.filter((warning) => !note.length || !warning.startsWith(EDITED)), ...note],
    turns: transcript.turns.map((turn) => ({ ...turn, speaker: nameOf(turn.speaker) })),
  };
}

function segmentNow(segment, words, isTouched) {
  const named = (part) => ({ ...part, speaker: part.speaker === null ? null : nameOf(part.speaker) });
  if (!isTouched) return { ...named(segment), words: segment.words.map(named) };
  const plain = words.map(({ text, start, end, confidence, timing, speaker }) => named({ text, start, end, confidence, timing, speaker }));
  const known = plain.map((word) => word.confidence).filter((confidence) => confidence !== null);
  return { ...named(segment), text: textOf(words), confidence: meanOf(known), words: plain };
}

function grouped(words) {
  const groups = new Map();
  for (const word of words) groups.set(word.segment, [...(groups.get(word.segment) ?? []), word]);
  return groups;
}

const meanOf = (numbers) => (numbers.length ? numbers.reduce((sum, number) => sum + number, 0) / numbers.length : null);

// This page with the changes inside, for others: what the script made of it is left out, and made again when it opens.
function writePage() {
  const page = document.documentElement.cloneNode(true);
  page.querySelector("#app").remove();
  page.removeAttribute("style");
  page.querySelector("#transcript-data").textContent = JSON.stringify(transcriptNow()).replaceAll("<", "\\u003c");
  const plain = element("div", {}, element("h1", {}, document.title), ...paragraphs.map(({ text }) => element("p", {}, text)));
  page.querySelector("noscript").textContent = plain.innerHTML;
  return `<!doctype html>\n${page.outerHTML}\n`;
}

const chosenFormat = () => FORMATS.find((format) => format.name === document.querySelector("input[name=format]:checked").value);

function fileName() {
  const stem = document.title.replace(/\.[A-Za-z0-9]{2,4}$/, "").replace(/[\\/:*?"<>|\u0000-\u001f]+/g, "_").trim() || "transcript";
  return `${stem}.${chosenFormat().name}`;
}

function paintPreview() {
  const { name, write } = chosenFormat();
  byId("extras").hidden = name !== "txt";
  byId("with-names").parentElement.hidden = !speakerNames().length;
  byId("copy").hidden = name === "html";
  byId("preview").hidden = name === "html";
  if (name === "html") return;
  const text = write();
  byId("preview").value = text.length > PREVIEW_LETTERS ? `${text.slice(0, PREVIEW_LETTERS)}…` : text;
}

function openExport() {
  readEdits();
  gatherWords();
  paintPreview();
  byId("exporting").showModal();
}

function saveFile() {
  const { mime, write } = chosenFormat();
  const address = URL.createObjectURL(new Blob([write()], { type: `${mime};charset=utf-8` }));
  element("a", { href: address, download: fileName() }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
  byId("exporting").close();
  tell(`Saved as ${fileName()}`);
}

async function copyText() {
  const text = chosenFormat().write();
  try {
    await navigator.clipboard.writeText(text);
  } catch {                                             // not allowed here: the older way, through a field
    byId("preview").value = text;
    byId("preview").select();
    document.execCommand("copy");
    paintPreview();
  }
  tell("Copied");
}

function listenToExport() {
  byId("formats").replaceChildren(...FORMATS.map(({ name, label }, i) => element("label", {},
    element("input", { type: "radio", name: "format", value: name, checked: i === 0 }), element("span", {}, label))));
  byId("export").addEventListener("click", openExport);
  byId("exporting").addEventListener("change", paintPreview);
  byId("close-export").addEventListener("click", () => byId("exporting").close());
  byId("save").addEventListener("click", saveFile);
  byId("copy").addEventListener("click", copyText);
}

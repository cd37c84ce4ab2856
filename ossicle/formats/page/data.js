// The transcript as Python wrote it: words with the time at which they play, paragraphs, speakers. Knows nothing of the page's look.

const TAGS = {
  Chinese: "zh", English: "en", Cantonese: "yue", Arabic: "ar", German: "de", French: "fr", Spanish: "es", Portuguese: "pt",
  Indonesian: "id", Italian: "it", Korean: "ko", Russian: "ru", Thai: "th", Vietnamese: "vi", Japanese: "ja", Turkish: "tr",
  Hindi: "hi", Malay: "ms", Dutch: "nl", Swedish: "sv", Danish: "da", Finnish: "fi", Polish: "pl", Czech: "cs", Filipino: "fil",
  Persian: "fa", Greek: "el", Romanian: "ro", Hungarian: "hu", Macedonian: "mk",
};
const MEASURED = new Set(["aligned", "attention"]);
const SENTENCE_END = /[.!?…。！？｡؟۔।॥]["'”’»)\]）」』]*$/u;
const PAUSE_SECONDS = 2;                // after a sentence, long enough to begin a paragraph
const LONG_PAUSE_SECONDS = 5;           // anywhere
const QUIET_SECONDS = 20;               // without a word: said between the paragraphs
const PARAGRAPH_WIDTH = 420;            // letters, wide ones counted twice: five or six lines; the next sentence end closes it
const MAX_WIDTH = 1000;                 // the same for text without sentence ends: the next space closes it

const segmentOf = (word) => transcript.segments[word.segment];
const speakerOf = (word) => word.speaker ?? segmentOf(word).speaker;
const languageOf = (word) => segmentOf(word).language;
const tagOf = (language) => TAGS[language] ?? "";
const leadOf = (word) => word.text.match(/^\s*/u)[0];
const textOf = (words) => words.map((word) => word.text).join("");
const widthOf = (text) => text.length + (text.match(/[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]/gu)?.length ?? 0);
const isGuessed = (word) => !MEASURED.has(word.timing);
const nameOf = (speaker) => state.names[speaker] ?? speaker;

const dataText = document.getElementById("transcript-data").textContent;
const transcript = JSON.parse(dataText);
const media = JSON.parse(document.getElementById("media-data").textContent);
const gaps = transcript.coverage.gaps;
const originalWords = transcript.segments.flatMap(wordsOfSegment);
originalWords.forEach((word, i) => { word.place = i; });
const hasMeasuredTimes = originalWords.some((word) => MEASURED.has(word.timing));
const hasConfidence = originalWords.some((word) => word.confidence !== null);
placeWords(originalWords);
const paragraphs = parted(originalWords);
const speakers = [...new Set([...paragraphs.map((paragraph) => speakerOf(paragraph.original[0])), ...transcript.turns.map((turn) => turn.speaker)])]
  .filter((speaker) => speaker !== null);
const state = { words: originalWords, names: {}, checked: new Set(), isEditing: false };
const lastSecond = latestEnd();

function wordsOfSegment(segment, index) {
  const unknown = { start: null, end: null, confidence: null, timing: null, speaker: null };
  const words = segment.words.length ? segment.words : splitWords(segment.text).map((text) => ({ text, ...unknown }));
  return words.map((word) => ({ ...word, segment: index }));
}

// Give every word the times at which it plays, `from` and `to`: its own, or its share of the room between those that have some.
function placeWords(words) {
  for (let i = 0; i < words.length;) {
    if (words[i].start !== null) {
      const word = words[i++];
      [word.from, word.to] = [word.start, Math.max(word.start, word.end ?? words[i]?.start ?? segmentOf(word).end)];
      continue;
    }
    const begin = i, { segment } = words[i];
    while (i < words.length && words[i].start === null && words[i].segment === segment) i += 1;
    const isSame = (word) => word?.segment === segment;
    const { start, end } = transcript.segments[segment];
    const from = isSame(words[begin - 1]) ? words[begin - 1].to : start, to = isSame(words[i]) ? words[i].start : end;
    spreadWords(words.slice(begin, i).map((word) => word.text), from, to).forEach((place, k) => {
      [words[begin + k].from, words[begin + k].to] = [place.start, place.end];
    });
  }
}

function parted(words) {
  const found = [];
  let width = 0;
  words.forEach((word, i) => {
    if (i === 0 || beginsParagraph(words[i - 1], word, width)) {
      found.push({ first: i, original: [], words: [], text: "" });
      width = 0;
    }
    found.at(-1).original.push(word);
    width += widthOf(word.text);
  });
  for (const paragraph of found) {
    paragraph.words = paragraph.original;
    paragraph.key = `${paragraph.first}-${paragraph.first + paragraph.original.length - 1}`;
    paragraph.lead = leadOf(paragraph.original[0]);
    paragraph.originalText = textOf(paragraph.original).trimStart();
    paragraph.text = paragraph.originalText;
  }
  return found;
}

function beginsParagraph(previous, word, width) {
  const pause = word.from - previous.to, isSentence = SENTENCE_END.test(previous.text);
  return speakerOf(previous) !== speakerOf(word)
    || languageOf(previous) !== languageOf(word)
    || gaps.some((gap) => previous.from < gap.end - 0.01 && word.from >= gap.end - 0.01)
    || pause >= LONG_PAUSE_SECONDS
    || (isSentence && (pause >= PAUSE_SECONDS || width >= PARAGRAPH_WIDTH))
    || (width >= MAX_WIDTH && (/^\s/u.test(word.text) || /[，、,;；]$/u.test(previous.text)));
}

// Everybody who speaks, by the name they have now; people who were given one name are one.
const speakerNames = () => [...new Set(speakers.map(nameOf))];

// The changes since the page was made, paragraph by paragraph, into the words that everything reads.
function gatherWords() {
  state.words = paragraphs.flatMap((paragraph) => paragraph.words);
  placeWords(state.words);
}

function latestEnd() {
  const ends = [...originalWords.map((word) => word.to), ...[...gaps, ...transcript.chunks].map((part) => part.end)];
  return ends.reduce((latest, end) => Math.max(latest, end), 0) || transcript.duration;
}

function clock(seconds, isLong = lastSecond >= 3600) {
  const whole = Math.max(0, Math.floor(seconds)), two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return isLong ? `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

// A length of time for people: 0.8 s, 45 s, 3 min 20 s, 2 h 5 min.
function lengthOf(seconds) {
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
  const whole = Math.floor(seconds), minutes = Math.floor(whole / 60);
  if (minutes < 1) return `${whole} s`;
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

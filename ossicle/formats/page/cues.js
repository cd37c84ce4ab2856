function writeSrt() { return ""; }
function writeVtt() { return ""; }

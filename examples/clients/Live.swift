// Send a recording to `ossicle bridge` as a microphone would, and print what is heard. Foundation only.
//
//   swift Live.swift talk.wav
//
// NOT RUN by this project's tests: there is no Swift on the machines that run them. It is the version 2 conversation of live.py,
// line for line; where the two differ, live.py is right. The recording: 16-bit mono WAV, 16 kHz. The protocol: docs/bridge.md.

import Foundation

let chunkBytes = 2 * 1600  // 0.1 s

/// The program behind two pipes: one JSON object a line each way.
final class Bridge {
    private let process = Process()
    private let input = Pipe(), output = Pipe()
    private var buffer = Data()
    private var number = 0
    private let onEvent: ([String: Any]) -> Void

    init(_ command: [String], onEvent: @escaping ([String: Any]) -> Void) throws {
        self.onEvent = onEvent
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardInput = input
        process.standardOutput = output  // its stderr is ours
        try process.run()
    }

    private func send(_ request: [String: Any]) throws {
        var line = try JSONSerialization.data(withJSONObject: request)
        line.append(0x0A)
        input.fileHandleForWriting.write(line)
    }

    private func hear() throws -> [String: Any] {
        while true {
            if let end = buffer.firstIndex(of: 0x0A) {
                let line = buffer[buffer.startIndex..<end]
                buffer = Data(buffer[buffer.index(after: end)...])
                guard let reply = try JSONSerialization.jsonObject(with: line) as? [String: Any] else { continue }
                if reply["type"] as? String == "error" {
                    let error = reply["error"] as? [String: Any]
                    fail("the bridge said: \(error?["message"] ?? reply["message"] ?? "nothing")")
                }
                return reply
            }
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { fail("the bridge ended; its last words are above") }
            buffer.append(more)
        }
    }

    /// Other lines may come before the reply that carries our id: they are events.
    @discardableResult
    func ask(_ request: [String: Any]) throws -> [String: Any] {
        number += 1
        try send(request.merging(["id": number]) { own, _ in own })
        while true {
            let reply = try hear()
            if reply["id"] as? Int == number { return reply }
            onEvent(reply)
        }
    }
}

func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data((message + "\n").utf8))
    exit(1)
}

guard CommandLine.arguments.count == 2, let file = FileManager.default.contents(atPath: CommandLine.arguments[1]) else {
    fail("usage: swift Live.swift talk.wav")
}
let sound = file.dropFirst(44)  // the header of a plain WAV file

/// Committed text stays, pending text may change.
let bridge = try Bridge(["ossicle", "bridge"]) { line in
    guard let event = line["event"] as? [String: Any] else { return }
    switch event["type"] as? String {
    case "partial":
        let text = "\(event["committed_text"] ?? "")\(event["pending_text"] ?? "")"
        FileHandle.standardError.write(Data("\r\(text)".utf8))
    case "final":
        print(event["text"] ?? "")
    default:
        break
    }
}
try bridge.ask(["type": "start", "protocol": "ossicle-jsonl-v2"])
try bridge.ask(["type": "start_stream", "stream_id": "file"])
for start in stride(from: sound.startIndex, to: sound.endIndex, by: chunkBytes) {
    let chunk = sound[start..<min(start + chunkBytes, sound.endIndex)]
    let ack = try bridge.ask([
        "type": "audio_chunk", "stream_id": "file", "pcm16": Data(chunk).base64EncodedString(), "ack": true,
    ])
    // How much sound waits: a file must not run ahead of the ear.
    if let queued = ack["queued_ms"] as? Int, queued > 4000 { Thread.sleep(forTimeInterval: 0.5) }
}
try bridge.ask(["type": "stop_stream", "stream_id": "file"])
try bridge.ask(["type": "stop"])

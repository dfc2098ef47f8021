// Both ends of WebSocket connections by the npm package ws, for ws_program_test.go, which says what the lines mean.
//
// Arguments: where the package is; the files of a certificate, its key, and the authority's certificate.
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import readline from "node:readline";
import { createRequire } from "node:module";

const [where, certFile, keyFile, caFile] = process.argv.slice(2);
const { WebSocket, WebSocketServer } = createRequire(import.meta.url)(where);
const ca = fs.readFileSync(caFile);

const tell = (o) => process.stdout.write(JSON.stringify(o) + "\n");

const heard = (data, binary) =>
	`${binary ? "binary" : "text"} ${data.length} ${crypto.createHash("sha256").update(data).digest("hex").slice(0, 16)}`;

const terms = {
	"": false,
	fresh: { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 },
	keep: { threshold: 0 },
};

// say sends a message in fragments of these lengths and a last one.
function say(ws, data, binary, cuts) {
	for (const n of cuts ?? []) {
		ws.send(data.subarray(0, n), { binary, fin: false });
		data = data.subarray(n);
	}
	ws.send(data, { binary });
}

function close(ws, code, reason) {
	if (code === 1005) {
		ws.close();
	} else {
		ws.close(code, reason);
	}
}

// Servers.

const seen = new Map(); // by the client's name
const gates = new Map();

// gate resolves when all clients that name it have come.
function gate(all) {
	if (!all) {
		return Promise.resolve();
	}
	let g = gates.get(all);
	if (!g) {
		g = { missing: Number(all) };
		g.open = new Promise((resolve) => { g.resolve = resolve; });
		gates.set(all, g);
	}
	if (--g.missing === 0) {
		gates.delete(all);
		g.resolve();
	}
	return g.open;
}

const servers = {};
for (const [name, perMessageDeflate] of Object.entries(terms)) {
	servers[name] = new WebSocketServer({
		noServer: true,
		perMessageDeflate,
		handleProtocols: (offered, request) => {
			const served = new URL(request.url, "ws://x").searchParams.get("serve");
			return offered.has(served) ? served : false;
		},
	});
	servers[name].on("headers", (headers) => headers.push("X-Reply: as you say"));
}

function upgrade(request, socket, head) {
	const q = new URL(request.url, "ws://x").searchParams;
	if (q.has("refuse")) {
		socket.end(`HTTP/1.1 ${q.get("refuse")} No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
		return;
	}
	servers[q.get("deflate") ?? ""].handleUpgrade(request, socket, head, (ws) => {
		const s = {
			protocol: ws.protocol, origin: request.headers.origin ?? "", said: request.headers["x-said"] ?? "",
			heard: [], pongs: [], error: "",
		};
		ws.on("error", (e) => { s.error = String(e); });
		ws.on("pong", (data) => s.pongs.push(data.toString()));
		ws.on("close", (code, reason) => {
			s.code = code;
			s.reason = reason.toString();
			seen.set(q.get("id"), s);
		});
		const all = gate(q.get("gate"));
		ws.on("message", (data, binary) => {
			s.heard.push(heard(data, binary));
			const piece = Number(q.get("pieces") ?? 0);
			const cuts = [];
			for (let left = data.length; piece && left > piece; left -= piece) {
				cuts.push(piece);
			}
			all.then(() => say(ws, data, binary, cuts));
		});
		if (q.has("ping")) {
			ws.ping(q.get("ping"));
		}
		if (q.has("bye")) {
			close(ws, Number(q.get("bye")), q.get("reason"));
		}
	});
}

const plain = http.createServer();
const secure = https.createServer({ cert: fs.readFileSync(certFile), key: fs.readFileSync(keyFile), minVersion: "TLSv1.3" });
for (const s of [plain, secure]) {
	s.on("upgrade", upgrade);
	await new Promise((resolve) => s.listen(0, "127.0.0.1", resolve));
}

// play has a client hold a conversation.
function play(c, done) {
	const s = { heard: [], pongs: [], error: "" };
	const headers = c.said ? { "X-Said": c.said } : {};
	const ws = new WebSocket(c.url, c.offered ? [c.offered] : [], {
		perMessageDeflate: terms[c.deflate], ca, minVersion: "TLSv1.3", headers, ...(c.origin && { origin: c.origin }),
	});
	let left = c.say.filter((w) => w.kind !== "ping").length;
	const closes = () => {
		if (left === 0 && !c.byServer) {
			close(ws, c.code, c.reason);
		}
	};
	ws.on("upgrade", (r) => {
		s.reply = r.headers["x-reply"];
		s.extensions = r.headers["sec-websocket-extensions"] ?? "";
	});
	ws.on("unexpected-response", (request, r) => {
		request.destroy();
		done({ status: r.statusCode });
	});
	ws.on("error", (e) => { s.error = String(e); });
	ws.on("pong", (data) => s.pongs.push(data.toString()));
	ws.on("open", () => {
		s.protocol = ws.protocol;
		for (const w of c.say) {
			const data = fs.readFileSync(w.file);
			if (w.kind === "ping") {
				ws.ping(data);
			} else {
				say(ws, data, w.kind === "binary", w.cuts);
			}
		}
		closes();
	});
	ws.on("message", (data, binary) => {
		s.heard.push(heard(data, binary));
		left--;
		closes();
	});
	ws.on("close", (code, reason) => {
		s.code = code;
		s.reason = reason.toString();
		done(s);
	});
}

tell({ ports: { "": plain.address().port, tls: secure.address().port } });
for await (const line of readline.createInterface({ input: process.stdin })) {
	const q = JSON.parse(line);
	if (q.saw !== undefined) {
		tell({ n: q.n, over: seen.has(q.saw), seen: seen.get(q.saw) });
	} else {
		play(q.play, (s) => tell({ n: q.n, over: true, seen: s }));
	}
}
process.exit(0);

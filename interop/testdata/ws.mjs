// Both ends of WebSocket connections by the npm package ws, for ws_program_test.go, which says what the lines mean.
//
// Arguments: where the package is; the files of a certificate, its key, and the authority's certificate.
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import http2 from "node:http2";
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
	servers[q.get("deflate") ?? ""].handleUpgrade(request, socket, head, (ws) => serve(ws, q, request.headers));
}

// serve does what the request's query says.
function serve(ws, q, headers) {
	const s = { protocol: ws.protocol, origin: headers.origin ?? "", said: headers["x-said"] ?? "", heard: [], pongs: [], error: "" };
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
	if (q.has("close_code")) {
		close(ws, Number(q.get("close_code")), q.get("reason"));
	}
}

// over makes a WebSocket of a stream of HTTP/2, for which the package has no handshake.
function over(stream, protocol, isServer) {
	const ws = new WebSocket(null, undefined, { autoPong: true });
	stream.setNoDelay = () => {};
	ws._isServer = isServer;
	ws._protocol = protocol ?? "";
	ws.setSocket(stream, Buffer.alloc(0), { maxPayload: 0, skipUTF8Validation: false });
	return ws;
}

// connected takes an extended CONNECT (RFC 8441).
function connected(stream, headers) {
	const q = new URL(headers[":path"], "ws://x").searchParams;
	stream.on("error", () => {});
	if (headers[":method"] !== "CONNECT" || headers[":protocol"] !== "websocket" || headers["sec-websocket-version"] !== "13") {
		stream.respond({ ":status": 400 }, { endStream: true });
		return;
	}
	if (q.has("refuse")) {
		stream.respond({ ":status": Number(q.get("refuse")) }, { endStream: true });
		return;
	}
	const answer = { ":status": 200, "x-reply": "as you say" };
	const protocol = (headers["sec-websocket-protocol"] ?? "").split(/, */).find((p) => p && p === q.get("serve"));
	if (protocol) {
		answer["sec-websocket-protocol"] = protocol;
	}
	stream.respond(answer);
	serve(over(stream, protocol, true), q, headers);
}

const plain = http.createServer();
const credential = { cert: fs.readFileSync(certFile), key: fs.readFileSync(keyFile), minVersion: "TLSv1.3" };
const secure = https.createServer(credential);
const settings = { enableConnectProtocol: true };
const two = http2.createServer({ settings });
const twoSecure = http2.createSecureServer({ ...credential, settings });
plain.on("upgrade", upgrade);
secure.on("upgrade", upgrade);
two.on("stream", connected);
twoSecure.on("stream", connected);
for (const s of [plain, secure, two, twoSecure]) {
	await new Promise((resolve) => s.listen(0, "127.0.0.1", resolve));
}

// play has a client hold a conversation.
function play(c, done) {
	const headers = c.said ? { "X-Said": c.said } : {};
	const ws = new WebSocket(c.url, c.offered ? [c.offered] : [], {
		perMessageDeflate: terms[c.deflate], ca, minVersion: "TLSv1.3", headers, ...(c.origin && { origin: c.origin }),
	});
	const s = { heard: [], pongs: [], error: "" };
	ws.on("upgrade", (r) => {
		s.reply = r.headers["x-reply"];
		s.extensions = r.headers["sec-websocket-extensions"] ?? "";
	});
	ws.on("unexpected-response", (request, r) => {
		request.destroy();
		done({ status: r.statusCode });
	});
	talk(ws, c, s, done);
}

// talk says what there is to say when the connection is open, and closes it when all has come back.
function talk(ws, c, s, done) {
	let left = c.say.filter((w) => w.kind !== "ping").length;
	const closes = () => {
		if (left === 0 && !c.byServer) {
			close(ws, c.code, c.reason);
		}
	};
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

const sessions = new Map(); // of HTTP/2, by origin, while somebody uses them

// session returns one to an origin, with one user more.
function session(origin, failed) {
	let x = sessions.get(origin);
	if (!x) {
		const h2 = http2.connect(origin, { ca, minVersion: "TLSv1.3" });
		x = { h2, users: 0, ready: new Promise((resolve) => h2.once("remoteSettings", resolve)) };
		sessions.set(origin, x);
	}
	x.h2.on("error", failed);
	x.users++;
	return x;
}

// playTwo is play over HTTP/2.
async function playTwo(c, done) {
	const u = new URL(c.url);
	const origin = (u.protocol === "wss:" ? "https://" : "http://") + u.host;
	let ended = false;
	const end = (s) => {
		if (ended) {
			return;
		}
		ended = true;
		if (--x.users === 0) {
			sessions.delete(origin);
			x.h2.close();
		}
		done(s);
	};
	const x = session(origin, (e) => end({ heard: [], pongs: [], error: String(e) }));
	const remote = await x.ready;
	if (!remote.enableConnectProtocol) {
		end({ heard: [], pongs: [], error: "the server takes no extended CONNECT" });
		return;
	}
	const stream = x.h2.request({
		":method": "CONNECT", ":protocol": "websocket", ":scheme": origin.split(":")[0], ":path": u.pathname + u.search, ":authority": u.host,
		"sec-websocket-version": "13", ...(c.offered && { "sec-websocket-protocol": c.offered }), ...(c.origin && { origin: c.origin }),
		...(c.said && { "x-said": c.said }),
	});
	const s = { heard: [], pongs: [], error: "" };
	stream.on("error", (e) => end({ ...s, error: String(e) }));
	stream.on("response", (headers) => {
		if (headers[":status"] !== 200) {
			stream.close();
			end({ status: headers[":status"] });
			return;
		}
		s.reply = headers["x-reply"];
		const ws = over(stream, headers["sec-websocket-protocol"], false);
		talk(ws, c, s, end);
		ws.emit("open");
	});
}

const port = (s) => s.address().port;
tell({ ports: { "": port(plain), tls: port(secure), h2: port(two), h2tls: port(twoSecure) } });
for await (const line of readline.createInterface({ input: process.stdin })) {
	const q = JSON.parse(line);
	if (q.saw !== undefined) {
		tell({ n: q.n, over: seen.has(q.saw), seen: seen.get(q.saw) });
	} else {
		(q.play.h2 ? playTwo : play)(q.play, (s) => tell({ n: q.n, over: true, seen: s }));
	}
}
process.exit(0);

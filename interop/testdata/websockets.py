"""Both ends of WebSocket connections by the Python package websockets, for ws_program_test.go, which says what the
lines mean.

Arguments: the files of a certificate, its key, and the authority's certificate.
"""

import asyncio
import codecs
import hashlib
import json
import os
import ssl
import sys
from urllib.parse import parse_qs, urlsplit

# The module lies beside a script of the same name.
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]

from websockets.exceptions import ConnectionClosed, InvalidStatusCode  # noqa: E402
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory  # noqa: E402
from websockets.legacy.client import connect  # noqa: E402
from websockets.legacy.server import WebSocketServerProtocol, serve  # noqa: E402

CERT, KEY, CA = sys.argv[1:]
REPLY = {"X-Reply": "as you say"}
LIMITS = {"max_size": None, "max_queue": None, "ping_interval": None, "compression": None}

seen = {}  # by the client's name
gates = {}


def tell(**o):
    sys.stdout.write(json.dumps(o) + "\n")
    sys.stdout.flush()


def heard(message):
    kind, data = ("text", message.encode()) if isinstance(message, str) else ("binary", message)
    return f"{kind} {len(data)} {hashlib.sha256(data).hexdigest()[:16]}"


def pieces(data, text, cuts):
    """The fragments of a message. The package has no text that ends within a character: what is over waits."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for n in [*cuts, len(data)]:
        yield decoder.decode(data[:n]) if text else data[:n]
        data = data[n:]


async def say(ws, data, text, cuts):
    await ws.send(pieces(data, text, cuts) if cuts else data.decode() if text else data)


async def gate(count):
    """Returns when all clients that name the gate have come."""
    if not count:
        return
    g = gates.setdefault(count, {"missing": int(count), "open": asyncio.Event()})
    g["missing"] -= 1
    if g["missing"] == 0:
        del gates[count]
        g["open"].set()
    await g["open"].wait()


class Server(WebSocketServerProtocol):
    async def process_request(self, path, headers):
        self.query = {k: v[0] for k, v in parse_qs(urlsplit(path).query).items()}
        if "refuse" in self.query:
            import http
            return http.HTTPStatus(int(self.query["refuse"])), {}, b""

    def select_subprotocol(self, offered, served):
        name = self.query.get("serve")
        return name if name in offered else None


async def handle(ws, *_):
    q = ws.query
    head = ws.request_headers
    s = {"protocol": ws.subprotocol or "", "origin": head.get("Origin", ""), "said": head.get("X-Said", ""),
         "heard": [], "pongs": [], "error": ""}
    try:
        if "close_code" in q:
            await ws.close(int(q["close_code"]), q.get("reason", ""))
        await gate(q.get("gate"))
        if "ping" in q:
            await (await ws.ping(q["ping"].encode()))
            s["pongs"].append(q["ping"])
        size = int(q.get("pieces", 0))
        while True:
            message = await ws.recv()
            s["heard"].append(heard(message))
            text = isinstance(message, str)
            data = message.encode() if text else message
            await say(ws, data, text, [size] * ((len(data) - 1) // size) if size else [])
    except ConnectionClosed:
        pass
    except Exception as e:  # what is wrong the test tells
        s["error"] = repr(e)
    s["code"], s["reason"] = ws.close_code, ws.close_reason
    seen[q["id"]] = s


async def play(n, c, tls):
    s = {"heard": [], "pongs": [], "error": ""}
    extensions = None
    if c["deflate"]:
        fresh = c["deflate"] == "fresh"
        extensions = [ClientPerMessageDeflateFactory(server_no_context_takeover=fresh, client_no_context_takeover=fresh, client_max_window_bits=True)]
    try:
        ws = await connect(c["url"], ssl=tls if c["url"].startswith("wss") else None, origin=c["origin"] or None, extensions=extensions,
                           extra_headers={"X-Said": c["said"]} if c["said"] else None, subprotocols=[c["offered"]] if c["offered"] else None, **LIMITS)
        s["protocol"] = ws.subprotocol or ""
        s["reply"] = ws.response_headers.get("X-Reply", "")
        s["extensions"] = ws.response_headers.get("Sec-WebSocket-Extensions", "")

        async def talk():
            for w in c["say"]:
                with open(w["file"], "rb") as f:
                    data = f.read()
                if w["kind"] == "ping":
                    await (await ws.ping(data))
                    s["pongs"].append(data.decode())
                else:
                    await say(ws, data, w["kind"] == "text", w["cuts"] or [])

        talking = asyncio.ensure_future(talk())
        try:
            for _ in range(sum(w["kind"] != "ping" for w in c["say"])):
                s["heard"].append(heard(await ws.recv()))
            await talking
            if c["byServer"]:
                await ws.recv()
        except ConnectionClosed:
            pass
        if not c["byServer"]:
            await ws.close(c["code"], c["reason"])
        s["code"], s["reason"] = ws.close_code, ws.close_reason
    except InvalidStatusCode as e:
        s = {"status": e.status_code}
    except Exception as e:
        s["error"] = repr(e)
    tell(n=n, over=True, seen=s)


async def main():
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.minimum_version = ssl.TLSVersion.TLSv1_3
    server_tls.load_cert_chain(CERT, KEY)
    client_tls = ssl.create_default_context(cafile=CA)
    client_tls.minimum_version = ssl.TLSVersion.TLSv1_3
    ports = {}
    for name, tls, deflate in (("", None, None), ("tls", server_tls, None), ("fresh", None, True), ("keep", None, False)):
        extensions = None
        if deflate is not None:
            extensions = [ServerPerMessageDeflateFactory(server_no_context_takeover=deflate, client_no_context_takeover=deflate)]
        s = await serve(handle, "127.0.0.1", 0, create_protocol=Server, ssl=tls, extensions=extensions, subprotocols=["chat"],
                        extra_headers=REPLY, backlog=1000, **LIMITS)
        ports[name] = s.sockets[0].getsockname()[1]
    tell(ports=ports)
    lines = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    tasks = set()
    while line := await lines.readline():
        q = json.loads(line)
        if "saw" in q:
            tell(n=q["n"], over=q["saw"] in seen, seen=seen.get(q["saw"]))
        else:
            task = asyncio.ensure_future(play(q["n"], q["play"], client_tls))
            tasks.add(task)
            task.add_done_callback(tasks.discard)


asyncio.run(main())

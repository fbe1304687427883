"use strict";
/* Many stock socket.io clients in one process: `node crowd.js PACKAGE`.

   Each line of stdin opens one: {d, url, ns, path, transports, eio, key, acks}. It connects by itself,
   again and again, as any plugin would. Each line of stdout is something that happened to one:
   {d, e, t, ...}: "connect", "disconnect" (why), "refused" (why: it will not try again), "heard" (id,
   sent_at, ttl_ms), "revoke" (id, reason). `t` is the wall clock in milliseconds when the client told. */

delete globalThis.WebSocket; // as in the drivers of tests/clients
const io = require(process.argv[2]);

function open(wanted) {
  const tell = (e, more) =>
    process.stdout.write(JSON.stringify({ d: wanted.d, e, t: Date.now(), ...more }) + "\n");
  const who = { apiKey: wanted.key, device: wanted.d };
  const socket = io(wanted.url + wanted.ns, {
    path: wanted.path,
    transports: wanted.transports,
    forceNew: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 500,
    ...(wanted.eio === 4 ? { auth: who } : { query: who }),
  });
  socket.on("connect", () => tell("connect", { via: socket.io.engine.transport.name }));
  socket.on("disconnect", (why) => {
    tell("disconnect", { why });
    if (why === "io server disconnect") {
      tell("refused", { why });
    }
  });
  if (wanted.eio === 4) {
    socket.on("connect_error", (error) => {
      if (!socket.active) {
        tell("refused", { why: error.message });
      }
    });
  } else {
    // Also told of every connection that could not be made: that is an Error, the server says why in a string.
    socket.on("error", (why) => typeof why === "string" && tell("refused", { why }));
  }
  socket.on("dropcode", (message, ack) => {
    tell("heard", { id: message.id, sent_at: message.sent_at, ttl_ms: message.ttl_ms });
    if (wanted.acks) {
      ack();
    }
  });
  socket.on("revoke", ({ id, reason }) => tell("revoke", { id, reason }));
}

const lines = require("readline").createInterface({ input: process.stdin });
lines.on("line", (line) => open(JSON.parse(line)));
lines.on("close", () => process.exit(0));

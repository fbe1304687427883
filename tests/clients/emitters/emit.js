// Emits one event: node emit.js REDIS_URL NAMESPACE JSON, with {rooms, except, volatile, args}.
"use strict";
const { createRequire } = require("node:module");
const load = createRequire(process.env.NODE_MODULES + "/");
const { Emitter } = load("@socket.io/redis-emitter");
const { createClient } = load("redis");

async function main() {
  const [url, namespace, text] = process.argv.slice(2);
  const { rooms = [], except = [], volatile = false, bytes = null, args } = JSON.parse(text);
  const redis = createClient({ url });
  await redis.connect();
  let emitter = new Emitter(redis).of(namespace);
  if (rooms.length) emitter = emitter.to(rooms);
  if (except.length) emitter = emitter.except(except);
  if (volatile) emitter = emitter.volatile;
  emitter.emit(...args, ...(bytes === null ? [] : [Buffer.from(bytes)]));
  // Emitting does not tell when it is done; commands are done in their order.
  await redis.ping();
  await redis.quit();
}

main();

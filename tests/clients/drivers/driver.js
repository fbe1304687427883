"use strict";
/* Drives a stock socket.io-client of any version by commands, and reports whatever happens to it.

   Commands and reports are JSON objects: one a line on stdin and stdout under Node.js
   (`node driver.js PACKAGE`), by HTTP with the page's own server in a browser. Each report names the
   connection it belongs to (`c`), so that what an earlier one still does cannot be taken for the
   present one's.

     connect     c, url, namespaces, path, transports, headers, headersOn, auth, query, listen,
                 holdsAcks, extra (more options of the client); opens a connection by the client's own
                 `io()`. An event is acknowledged at once, with `holdsAcks` only when told
     ack         acknowledges what was held
     emit        ns, event, args
     disconnect  ns: leaves the namespace, as a plugin would
     reset       ends the connection; answered by `closed`

   Reports: {c, ns, event, args, acked, t}. `transport` comes at each opening of the engine and at
   its upgrade, `heartbeat` after each ping and pong, whoever began; `acked` tells that the server had asked for an acknowledgement and got
   it, or gets it when told. */

function makeDriver(io, report, inBrowser) {
  let current = null;

  function plain(value) {
    if (value instanceof Error) {
      return { message: value.message, ...(value.data === undefined ? {} : { data: value.data }) };
    }
    return value === undefined ? null : value;
  }

  function reporter(mine) {
    return (ns, event, args, acked) => {
      if (current === mine) {
        report({ c: mine.c, ns, event, args: args.map(plain), acked: acked === true, t: Date.now() });
      }
    };
  }

  function headerOptions(command) {
    const names = Object.keys(command.headers);
    if (names.length === 0) {
      return {};
    }
    if (!inBrowser && command.transports.every((name) => command.headersOn.includes(name))) {
      return { extraHeaders: command.headers }; // the only form that 1.x knows
    }
    const transportOptions = {};
    for (const name of command.headersOn) {
      transportOptions[name] = { extraHeaders: command.headers };
    }
    return { transportOptions };
  }

  function watchManager(manager, tell) {
    manager.on("open", () => {
      const engine = manager.engine;
      tell(null, "transport", [engine.transport.name]);
      engine.on("upgrade", (transport) => tell(null, "transport", [transport.name]));
      engine.on("pong", () => tell(null, "heartbeat", [])); // in every version, whoever pings
    });
    for (const event of ["reconnect_attempt", "reconnect"]) {
      manager.on(event, () => tell(null, event, []));
    }
  }

  function watchSocket(socket, ns, listen, acknowledge, tell) {
    socket.on("connect", () => tell(ns, "connect", []));
    socket.on("disconnect", (reason) => tell(ns, "disconnect", [reason]));
    for (const event of ["connect_error", "error"]) {
      socket.on(event, (error) => tell(ns, event, [error]));
    }
    for (const event of listen) {
      socket.on(event, (...args) => {
        const ack = typeof args[args.length - 1] === "function" ? args.pop() : null;
        if (ack) {
          acknowledge(ack);
        }
        tell(ns, event, args, ack !== null);
      });
    }
  }

  const commands = {
    connect(command) {
      const mine = { c: command.c, sockets: {}, manager: null, held: [] };
      const acknowledge = command.holdsAcks ? (ack) => mine.held.push(ack) : (ack) => ack();
      current = mine;
      const tell = reporter(mine);
      const options = {
        path: command.path,
        transports: command.transports,
        forceNew: true,
        reconnectionDelay: command.reconnectionDelay,
        reconnectionDelayMax: command.reconnectionDelay * 5,
        ...headerOptions(command),
        ...(command.auth ? { auth: command.auth } : {}),
        ...(command.query ? { query: command.query } : {}),
        ...command.extra,
      };
      for (const ns of command.namespaces) {
        const socket = mine.manager
          ? mine.manager.socket(ns, { auth: command.auth })
          : io(command.url + ns, options);
        if (!mine.manager) {
          mine.manager = socket.io;
          watchManager(mine.manager, tell);
        }
        mine.sockets[ns] = socket;
        watchSocket(socket, ns, command.listen, acknowledge, tell);
      }
    },
    ack() {
      current.held.splice(0).forEach((ack) => ack());
    },
    emit(command) {
      current.sockets[command.ns].emit(command.event, ...command.args);
    },
    disconnect(command) {
      current.sockets[command.ns].disconnect();
    },
    reset() {
      const mine = current;
      current = null;
      if (mine) {
        Object.values(mine.sockets).forEach((socket) => socket.disconnect());
        (mine.manager._close || mine.manager.close).call(mine.manager);
      }
      report({ c: null, ns: null, event: "closed", args: [], acked: false, t: Date.now() });
    },
  };

  return (command) => commands[command.do](command);
}

function runOnStdio() {
  // From version 22 on, Node.js has a WebSocket of its own. 1.x and 2.x prefer it to their `ws`, and
  // then cannot send headers with it: here they shall run as on the Node.js of their time.
  delete globalThis.WebSocket;
  const handle = makeDriver(
    require(process.argv[2]),
    (event) => process.stdout.write(JSON.stringify(event) + "\n"),
    false,
  );
  const lines = require("readline").createInterface({ input: process.stdin });
  lines.on("line", (line) => handle(JSON.parse(line)));
  lines.on("close", () => process.exit(0));
}

async function runInPage() {
  const outbox = [];
  let sending = false;
  async function send() {
    if (sending) {
      return;
    }
    sending = true;
    while (outbox.length > 0) {
      await fetch("/reports", { method: "POST", body: JSON.stringify(outbox.splice(0)) });
    }
    sending = false;
  }
  function report(event) {
    outbox.push(event);
    send();
  }
  window.addEventListener("error", (crash) => {
    report({ c: null, ns: null, event: "crash", args: [crash.message], acked: false, t: Date.now() });
  });
  const handle = makeDriver(window.io, report, true);
  for (;;) {
    const answer = await fetch("/commands");
    (await answer.json()).forEach(handle);
  }
}

if (typeof window === "undefined") {
  runOnStdio();
} else {
  runInPage();
}

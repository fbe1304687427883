"""No key is ever logged or sent back.

Each server's fixture checks the same at its end for all keys that its tests have used.
"""

from .server import Node
from .wire import UPGRADE, Connection, open_websocket, request


def test_keys_are_neither_logged_nor_sent_back(node: Node) -> None:
    """Wherever a client may put one, with success or not."""
    good, bad = node.plugin_key().key, "rp_bad0bad0bad0_secretsecretsecretsecret"
    node.keys.append(bad)
    for key in (good, bad, node.backend_key):
        for headers in (
            [("Authorization", f"ApiKey {key}")],
            [("Authorization", f"Basic {key}")],
            [("Authorization", key)],
            [("Cookie", f"key={key}")],
            [("X-Api-Key", key)],
            [("X-Forwarded-For", key)],
            [("Expect", key)],
            [("Transfer-Encoding", key)],
            [("Authorization", f"ApiKey {key}"), ("Authorization", f"Bearer {key}")],
        ):
            for method, target in (
                ("GET", "/websockets/?EIO=4&transport=polling"),
                ("GET", f"/websockets/?EIO=4&transport=polling&apiKey={key}"),
                ("GET", f"/websockets/?EIO=4&transport=polling&sid={key}&token={key}"),
                ("GET", f"/websockets/?EIO=4&transport={key}"),
                ("GET", f"/websockets/?EIO={key}&transport=polling"),
                ("PUT", f"/websockets/?apiKey={key}&transport=polling&EIO=4"),
                ("OPTIONS", f"/websockets/?apiKey={key}"),
                ("GET", f"/healthcheck?apiKey={key}"),
                ("GET", f"/nothing/here?apiKey={key}"),
                ("POST", f"/v1/messages?apiKey={key}"),
                ("POST", f"/v1/keys?apiKey={key}"),
                ("DELETE", f"/v1/keys/{key}"),
                ("GET", f"/v1/messages/{key}"),
                ("GET", f"/v1/messages?cursor={key}&streamer={key}"),
                ("GET", f"/metrics?apiKey={key}"),
                ("GET", f"/{key}"),
                (key.replace("_", ""), "/"),
            ):
                request(node.port, method, target, headers, b"" if method == "POST" else None)
            request(node.port, "GET", f"/websockets/?apiKey={key}&transport=websocket", UPGRADE)
        websocket = open_websocket(node.port, 4, f"&apiKey={key}")
        websocket.say(f'40/dropcodes,{{"apiKey":"{key}","token":"{key}"}}')
        websocket.text()
        websocket = open_websocket(node.port, 3, f"&apiKey={key}")
        websocket.say(f"40/dropcodes?apiKey={key},")
        websocket.text()
        websocket.say(f'42/dropcodes,["{key}"', f'42["{key}"]')
        websocket.close_code()
        for garbage in (
            f"GET /?{key}\r\n\r\n",
            f"{key} {key} {key}\r\n\r\n",
            f"GET / {key}\r\n\r\n",
        ):
            connection = Connection(node.port)
            connection.send(garbage.encode())
            connection.rest()
        body = f'{{"kind":"{key}","{key}":1}}'.encode()
        request(node.port, "POST", "/v1/keys", [("Authorization", f"ApiKey {key}x")], body)
        too_long = f"/websockets/?apiKey={key}&x=" + "x" * 100_000
        connection = Connection(node.port)
        connection.send(f"GET {too_long} HTTP/1.1\r\n\r\n".encode())
        connection.rest()
    node.check_secrets()

"""A language model behind a server of OpenAI's wire format, asked about many texts at once.

For the scripts that have a model write questions: `write_questions.py` here and `write_queries.py` in
`retriever/training`.
"""

import concurrent.futures
import http.client
import json
import sys
import urllib.error
import urllib.request

ATTEMPTS = 3


def options(parser, at_once):
    """The options of a server, for `Server.of`."""
    parser.add_argument("--server", required=True, help="such as http://127.0.0.1:8791/v1")
    parser.add_argument("--model", default="local")
    parser.add_argument("--at-once", type=int, default=at_once, help="texts the model reads at once")


class Server:
    def __init__(self, address, model, at_once):
        self.address, self.model, self.at_once = address.rstrip("/"), model, at_once

    @classmethod
    def of(cls, args):
        return cls(args.server, args.model, args.at_once)

    def ask(self, order, examples, text, **settings):
        """What the model answers to `text`, after `order` and `examples` of a text and its answer."""
        messages = [{"role": "system", "content": order}]
        for shown, answer in examples:
            messages += [{"role": "user", "content": shown}, {"role": "assistant", "content": answer}]
        messages.append({"role": "user", "content": text})
        body = json.dumps({"model": self.model, "messages": messages, "seed": 1, **settings}).encode()
        request = urllib.request.Request(f"{self.address}/chat/completions", body, {"Content-Type": "application/json"})
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with urllib.request.urlopen(request, timeout=600) as answer:
                    return json.load(answer)["choices"][0]["message"]["content"] or ""
            except urllib.error.HTTPError as error:
                # A request that is wrong stays wrong; a server that is busy does not.
                if attempt == ATTEMPTS or error.code < 500 and error.code != 429:
                    raise Unanswered(f"{self.address} answers {error.code}: {error.read(200).decode(errors='replace')}")
            except (OSError, http.client.HTTPException) as error:
                if attempt == ATTEMPTS:
                    raise Unanswered(f"{self.address} does not answer ({getattr(error, 'reason', error)})")
            except (ValueError, LookupError, TypeError):
                raise Unanswered(f"{self.address} answers something else than OpenAI's wire format has")


class Unanswered(Exception):
    """The server gave no answer."""


def ask_all(server, texts, ask, progress):
    """Yields `(text, ask(server, text))` for each of `texts` as answers come.

    The places of the texts that were answered stand in the file `progress` and are left out by the next
    run; `texts` is in the same order then. A place is written when the next answer is asked for, so what
    is made of one answer is kept before. Ends the program with a message when the server gives no answer.
    """
    done = set(progress.read_text().split()) if progress.exists() else set()
    with concurrent.futures.ThreadPoolExecutor(server.at_once) as pool, open(progress, "a", encoding="utf-8") as told:
        asking = {pool.submit(ask, server, text): (place, text)
                  for place, text in enumerate(texts) if str(place) not in done}
        try:
            for finished in concurrent.futures.as_completed(asking):
                place, text = asking[finished]
                yield text, finished.result()
                told.write(f"{place}\n")
                told.flush()
        except Unanswered as error:
            pool.shutdown(cancel_futures=True)
            sys.exit(f"{error}.\nIs the model's server running there? What was answered is kept: "
                     "the same command goes on where this one ended.")

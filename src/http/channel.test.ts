import { expect, test } from "bun:test";
import { asOne, Channel, type Message, type Question, type Report } from "./channel.ts";

/** Two ends; what one says the other hears in a turn of its own. */
function pair(answers: (question: Question) => Promise<Report>) {
  const said: Message[] = [];
  const asker: Channel = new Channel(
    (message) => {
      said.push(message);
      queueMicrotask(() => answerer.receive(message));
    },
    () => Promise.reject(new Error("nobody asks here")),
  );
  const answerer = new Channel((message) => queueMicrotask(() => asker.receive(message)), answers);
  return { asker, answerer, said };
}

test("each question gets its own answer, whichever comes first", async () => {
  const gate = Promise.withResolvers<void>();
  const { asker } = pair(async (question) => {
    if (question === "metrics") await gate.promise;
    return { problem: question, metrics: "" };
  });
  const [metrics, readyz] = [asker.ask("metrics", 60_000), asker.ask("readyz", 60_000)];
  expect(await readyz).toEqual({ problem: "readyz", metrics: "" });
  gate.resolve();
  expect(await metrics).toEqual({ problem: "metrics", metrics: "" });
});

test("an answer that comes too late is none, and is not taken for that to the next question", async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let asked = 0;
  const { asker } = pair(async () => {
    const number = asked++;
    await gates[number]?.promise;
    return { problem: `answer ${number}`, metrics: "" };
  });
  expect(await asker.ask("readyz", 1)).toBeUndefined();
  const second = asker.ask("readyz", 60_000);
  gates[0]?.resolve();
  await Bun.sleep(0);
  gates[1]?.resolve();
  expect(await second).toEqual({ problem: "answer 1", metrics: "" });
});

test("a process that is gone, or cannot answer, is no error of who asks", async () => {
  const { asker } = pair(() => Promise.reject(new Error("the store is closed")));
  expect(await asker.ask("readyz", 60_000)).toEqual({ problem: "the store is closed", metrics: "" });
  const alone = new Channel(
    () => {
      throw new Error("the channel is closed");
    },
    () => Promise.resolve({ problem: null, metrics: "" }),
  );
  expect(await alone.ask("readyz", 1)).toBeUndefined();
});

test("however many ask, one question is on its way", async () => {
  const gate = Promise.withResolvers<Report>();
  let asked = 0;
  const ask = asOne(() => {
    asked++;
    return gate.promise;
  });
  const answers = Promise.all([ask("readyz"), ask("readyz"), ask("metrics")]);
  expect(asked).toBe(2);
  gate.resolve({ problem: null, metrics: "" });
  expect(await answers).toHaveLength(3);
  await ask("readyz");
  expect(asked).toBe(3);
});

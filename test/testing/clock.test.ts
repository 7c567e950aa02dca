import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";

describe("FakeClock", () => {
  test("stands still until it is moved", async () => {
    const clock = new FakeClock(new Date("2027-01-01T00:00:00Z"));
    expect(new Date(clock.now()).toISOString()).toBe("2027-01-01T00:00:00.000Z");
    await clock.advance("1.5h");
    expect(new Date(clock.now()).toISOString()).toBe("2027-01-01T01:30:00.000Z");
  });

  test("fires timers in order, each at its own moment, those of one moment as they were set", async () => {
    const clock = new FakeClock(new Date(0));
    const fired: string[] = [];
    for (const [name, delay] of [
      ["late", 300],
      ["early", 100],
      ["second", 200],
      ["third", 200],
    ] as const) {
      clock.schedule(() => fired.push(`${name} at ${clock.now()}`), delay);
    }
    await clock.advance(250);
    expect(fired).toEqual(["early at 100", "second at 200", "third at 200"]);
    await clock.advance(50);
    expect(fired.at(-1)).toBe("late at 300");
    expect(clock.pending).toBe(0);
  });

  test("fires timers that are set on the way, also after promises and setImmediate", async () => {
    const clock = new FakeClock(new Date(0));
    const fired: number[] = [];
    const tick = async () => {
      fired.push(clock.now());
      await Promise.resolve();
      await new Promise((resolve) => setImmediate(resolve));
      if (fired.length < 4) clock.schedule(tick, 100);
    };
    clock.schedule(tick, 100);
    await clock.advance(1000);
    expect(fired).toEqual([100, 200, 300, 400]);
  });

  test("does not fire what was cancelled, and cancelling twice is no error", async () => {
    const clock = new FakeClock();
    let fired = false;
    const cancel = clock.schedule(() => {
      fired = true;
    }, 100);
    cancel();
    cancel();
    await clock.advance(200);
    expect([fired, clock.pending]).toEqual([false, 0]);
  });

  test("refuses what is no duration", async () => {
    await expect(new FakeClock().advance("soon")).rejects.toThrow(/soon/);
  });
});

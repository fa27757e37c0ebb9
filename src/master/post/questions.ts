// The questions among the letters: whoever cannot get an answer any more is told at once, and need not wait until the time is over. In the master.
import { stamp, writeFrame } from "../../messenger/frame.ts";
import { writeBody } from "../../messenger/letter.ts";
import type { Receivers } from "../../messenger/router.ts";
import { Unanswered } from "../../messenger/unanswered.ts";
import type { DropReason } from "./losses.ts";
import type { PostSeat } from "./seat.ts";

export class Questions {
  readonly #seats: ReadonlyMap<number, PostSeat>;
  readonly #unanswered: Unanswered = new Unanswered();

  constructor(seats: ReadonlyMap<number, PostSeat>) {
    this.#seats = seats;
  }

  /** A question has been put, or (`loss`) could not be. */
  asked(asker: PostSeat, question: number, { to, children }: Receivers<PostSeat>, loss: DropReason | null): void {
    const whom = to === "app" ? "worker" : to;
    const answerers = children.map(({ life }) => life);
    if (loss === null) this.#unanswered.asked({ asker: asker.life, question }, answerers);
    else if (loss === "full") refuse(asker, question, `the ${whom} does not read what it has been sent, and no more can wait for it`);
    else refuse(asker, question, `no ${whom} can be reached`);
  }

  answered(asker: number, question: number): void {
    this.#unanswered.answered({ asker, question });
  }

  /** The last words of a life have been read: what it has not answered it never will. */
  ended({ life, role }: PostSeat): void {
    for (const { asker, question } of this.#unanswered.gone(life)) {
      const seat = this.#seats.get(asker);
      if (seat === undefined) continue;
      refuse(seat, question, `the ${role} that was asked ended before it answered`);
      seat.outbox.flush();
    }
  }
}

function refuse({ outbox }: PostSeat, question: number, why: string): void {
  const frame = writeFrame({ to: "usual", kind: "refusal", receiver: 0, question, action: "" }, ...writeBody(why, "v8"));
  stamp(frame, "master", 0);
  outbox.push(frame);
}

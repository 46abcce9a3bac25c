import type { TObject } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import type { Principal } from '../keys/auth.ts';
import type { Scope } from '../keys/scopes.ts';
import type { Fault } from '../problem.ts';
import type { Kind, Thing, ThingBodies, Things } from '../things/things.ts';

/** What a check or a step of a noun may look at. */
export interface NounContext<K extends Kind> {
  readonly deps: DmpDeps;
  readonly principal: Principal;
  /** Id of the thing that is made or changed. */
  readonly id: string;
  /** What it is now; undefined where it is made. */
  readonly current: Thing<ThingBodies[K]> | undefined;
}

/** A kind of thing as the API shows it: `registerResource` makes all its routes from this. */
export interface Noun<K extends Kind, Input extends object> {
  readonly kind: K;
  /** Last part of its address: /v1/<path>. */
  readonly path: string;
  /** One of them, in words. */
  readonly title: string;
  /** Of ids that Walkin makes; null: the user gives the id. */
  readonly prefix: string | null;
  /** What a user may write. It is also what is shown, with id, revision and times. */
  readonly input: TObject;
  readonly read: Scope;
  readonly write: Scope;
  /** Members that stay as they were made. */
  readonly immutable?: readonly string[];
  /** Members that a list can be filtered by, `?<member>=<id>`. */
  readonly filters?: readonly string[];
  /** Whose it is; null: nobody's, seen by all, changed by keys of no advertiser. */
  advertiserOf(input: Input, id: string, things: Things): string | null;
  /** Whether the rest of the world allows it: references, domain rules. The shape is checked before. */
  check(input: Input, context: NounContext<K>): readonly Fault[] | Promise<readonly Fault[]>;
  /** Of `check` what others of the kind that are written at the same time may have made untrue: asked once more when no other can be. */
  still?(input: Input, context: NounContext<K>): readonly Fault[];
  /** What is kept; without it, what was written. */
  store?(input: Input, context: NounContext<K>): ThingBodies[K] | Promise<ThingBodies[K]>;
  /** What is made, with members that are shown this once only. Its answers are not kept for an Idempotency-Key. */
  issue?(input: Input, context: NounContext<K>): { readonly body: ThingBodies[K]; readonly once: object };
  /** Members shown beside what was written, as this key gets them. */
  show?(thing: Thing<ThingBodies[K]>, deps: DmpDeps, principal: Principal): object | Promise<object>;
  /** Whether a key may know of it, where that is another question than whose it is. */
  visible?(thing: Thing<ThingBodies[K]>, principal: Principal): boolean;
  /** What a key is shown of it, where not all keys are shown all. */
  shownTo?(view: Record<string, unknown>, principal: Principal): object;
  /** What else keeps it from being deleted, beside things that name it. */
  holds?(thing: Thing<ThingBodies[K]>, deps: DmpDeps): Promise<readonly Fault[]>;
  /** Fills in what a body means without saying it, before it is checked. */
  prepare?(body: Record<string, unknown>): void;
  /** Members that are never shown: `store` keeps them under another name, or a digest of them. */
  readonly writeOnly?: readonly string[];
  /** Names of the members that `show` adds; where they are sent back they are ignored. */
  readonly shown?: readonly string[];
}

export { findProgram } from "./program.js";
export { type Server, start, type StartOptions } from "./server.js";
export {
  Clock,
  type Expectation,
  type Json,
  type JsonObject,
  type ReplyOptions,
  Session,
  type TextMatcher,
  type Times,
  type Turn,
  type UnmatchedRun,
} from "./session.js";

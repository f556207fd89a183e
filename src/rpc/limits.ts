// How large messages may be. Requests are refused before they are buffered whole, answers before anything is done for them.

/** One token and what goes with it. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
/** Batches and bundles. */
export const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** Items of a batch. */
export const MAX_BATCH_ITEMS = 1000;
/** An answer: what gRPC clients read unless they are told otherwise. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

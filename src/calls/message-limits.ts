// How large messages may be. Requests are rejected before they are buffered whole, answers before anything is done for them.

/** One token and what goes with it. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
/** Batches and bundles. */
export const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** Items of a batch. */
export const MAX_BATCH_ITEMS = 1000;
/** Tokens of predecessors that come along with one. */
export const MAX_HANDED_ALONG = 100;
/** Tokens that are judged by themselves. */
export const MAX_BUNDLE_TOKENS = 10_000;
/** Entries of the ledger, and keys, on one page. */
export const MAX_PAGE_ENTRIES = 1000;
export const MAX_PAGE_KEYS = 500;
/** The name of a request or of an item. */
export const MAX_NAME_BYTES = 128;
/** `ect_ext_json`, with spaces; the rule of 4,096 bytes is for the compact form. */
export const MAX_EXT_TEXT_CHARACTERS = 16_384;
/** What an administrator says of an act. */
export const MAX_NOTE_CHARACTERS = 256;
/** A response: the default limit of gRPC clients. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

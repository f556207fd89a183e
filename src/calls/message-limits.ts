// Maximum sizes of messages. Requests are rejected before they are buffered completely, responses before any work for them.

/** One token and its options. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
/** Batches and bundles. */
export const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** Items of a batch. */
export const MAX_BATCH_ITEMS = 1000;
/** Predecessor tokens of one token. */
export const MAX_HANDED_ALONG = 100;
/** Tokens that are verified separately. */
export const MAX_BUNDLE_TOKENS = 10_000;
/** Entries of the ledger, or keys, on one page. */
export const MAX_PAGE_ENTRIES = 1000;
export const MAX_PAGE_KEYS = 500;
/** A request id, or the reference of an item. */
export const MAX_NAME_BYTES = 128;
/** `ect_ext_json`, with spaces; the limit of 4,096 bytes is for the compact form. */
export const MAX_EXT_TEXT_CHARACTERS = 16_384;
/** The note of an administrator about a change. */
export const MAX_NOTE_CHARACTERS = 256;
/** A response: the default limit of gRPC clients. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

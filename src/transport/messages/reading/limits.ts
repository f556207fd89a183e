// What one request may contain. These limits bound the cost of reading, so they are far above what any procedure accepts: a request that
// exceeds a limit of a procedure gets the specific error of that procedure.

/**
 * Fields, list elements and map entries of a message, or of one item of a batch. The largest valid message has 10,000 tokens. Reading
 * this many takes about 10 ms at most.
 */
export const MAX_VALUES = 16_384;

/**
 * Lists and objects in the Structs of all items of a batch, or in its JSON. An empty object has three bytes in JSON and 56 in memory: without
 * this limit a message of 4 MiB would take 56 MiB. A thousand items may each have more of them than an extension object needs.
 */
export const MAX_BATCH_OBJECTS = 262_144;

/** Nested messages, or nested brackets. The generated codec has the same limit. */
export const MAX_DEPTH = 100;

/**
 * Bytes of the Structs of a message, as compact JSON. A valid `ect_ext` has at most 4,096 bytes; larger ones are read up to this limit,
 * so that an item of a batch can be rejected alone.
 */
export const MAX_STRUCT_BYTES = 16_384;

/** Messages up to this size are read without slices, which takes about 10 ms at most. */
export const SYNC_BYTES = 64 * 1024;

// What one request may contain. The limits are on what reading costs, so they are far above what any procedure accepts: a
// request that is only a little wrong reaches the rule that says so best.

/**
 * Fields, list elements and map entries of a message, or of one item of a batch. The largest legal message is a bundle of
 * 10,000 tokens. Reading this many takes some 10 ms at most.
 */
export const MAX_VALUES = 16_384;

/** Messages inside messages, or brackets inside brackets. The generated codec stops here too. */
export const MAX_DEPTH = 100;

/**
 * The Structs of a message, as compact JSON. A legal `ect_ext` has 4,096 bytes at most; up to here it is read, so that an
 * item of a batch is rejected by itself.
 */
export const MAX_STRUCT_BYTES = 16_384;

/** Messages up to this size are read at once, even where they could be read in slices. It takes some 10 ms at most. */
export const SYNC_BYTES = 64 * 1024;

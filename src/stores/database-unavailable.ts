// The failure of a store whose database cannot be used for now. Apart from the driver, so that a start knows it without loading that.

import { EctError } from '../errors.ts';

/** What was asked may have been done: the database did not say. What stays until the operator changes it is none of these. */
export class DatabaseUnavailable extends EctError {}

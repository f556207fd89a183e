// How long a text is: the one unit in which every limit of a text is counted, but for those that are said to be of bytes.

/** Whether a text has more than so many characters (Unicode code points, of which UTF-16 has one or two units each). */
export function hasMoreCharacters(text: string, max: number): boolean {
  const { length } = text;
  return length > max && (length > 2 * max || Array.from(text).length > max);
}

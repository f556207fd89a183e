// Finds the attributes that the decisions of a policy can depend on, from the policy itself. In doubtful cases it includes an
// attribute.

/** An expression of Cedar as JSON. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [member: string]: Json };

/** `all`: the context is used as a whole. */
export type UsedAttributes = ReadonlySet<string> | 'all';

/** The attributes of `context` that policies name; the policies are in Cedar's JSON form. */
export function contextAttributes(policies: readonly unknown[]): UsedAttributes {
  const used = new Set<string>();
  const isWhole = policies.map((policy) => collect(policy as Json, used)).includes(true);
  return isWhole ? 'all' : used;
}

/** Whether the context occurs other than to the left of a name. */
function collect(node: Json, used: Set<string>): boolean {
  if (node === null || typeof node !== 'object') return false;
  if (Array.isArray(node)) return node.map((part: Json) => collect(part, used)).includes(true);
  const object = node as { readonly [member: string]: Json };
  if (isContext(object)) return true;
  return Object.entries(object)
    .map(([operator, operand]) => {
      const access = operator === '.' || operator === 'has' ? accessOf(operand) : undefined;
      if (access === undefined) return collect(operand, used);
      used.add(access);
      return false;
    })
    .includes(true);
}

/** The name in `context.name` or `context has name`. */
function accessOf(operand: Json): string | undefined {
  if (operand === null || typeof operand !== 'object' || Array.isArray(operand)) return undefined;
  const { left, attr } = operand as { readonly left?: Json; readonly attr?: Json };
  return isContext(left) && typeof attr === 'string' ? attr : undefined;
}

function isContext(node: Json | undefined): boolean {
  return node !== null && typeof node === 'object' && (node as { readonly Var?: Json }).Var === 'context';
}

/** Whether policies can distinguish names of this type. Cedar cannot convert a name to text, so such a policy contains one literally. */
export function namesType(policies: readonly unknown[], type: string): boolean {
  return JSON.stringify(policies).includes(`"ECT::${type}"`);
}

/** Whether policies use this attribute of anything. */
export function looksAt(policies: readonly unknown[], attribute: string): boolean {
  return JSON.stringify(policies).includes(`"attr":${JSON.stringify(attribute)}`);
}

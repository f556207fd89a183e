import { describe, expect, test } from 'vitest';
import { parseStrictObject } from '../../src/token/index.ts';
import { depthOf, MAX_JSON_DEPTH } from '../../src/token/strict-json.ts';
import { rounds } from '../support/full.ts';
import { fc } from '../support/random.ts';

function faultIn(text: string): string {
  const read = parseStrictObject(text);
  return read.ok ? 'none' : read.fault;
}

describe('what is read', () => {
  test.each([
    '{}',
    ' \t\r\n{ \t\r\n} \t\r\n',
    '{"a":1}',
    '{ "a" : [ 1 , 2 , { } ] , "b" : null }',
    '{"":""}',
    '{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0020"}',
    '{"a":"\\ud83d\\ude00","b":"\\uD83D\\uDE00","c":"😀"}',
    '{"a":[0,-0,1.5,-1.5e-10,1E+2,123456789012345678901234567890]}',
    '{"a":[true,false,null]}',
    '{"a":{"a":{"a":1}},"b":{"a":1}}',
    '{"\u2028":"\u2029"}',
    '{"a":1e400}',
  ])('%j is read as JSON.parse reads it', (text) => {
    expect(parseStrictObject(text)).toMatchObject({ ok: true, value: JSON.parse(text) });
  });

  test('T22: names that every object has are plain members', () => {
    const text = '{"__proto__":{"polluted":true},"constructor":1,"toString":2,"hasOwnProperty":3}';
    const read = parseStrictObject(text);
    expect(read.ok && Object.keys(read.value)).toEqual(['__proto__', 'constructor', 'toString', 'hasOwnProperty']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('T12: duplicate members', () => {
  test.each([
    '{"a":1,"a":1}',
    '{"a":1,"b":2,"c":3,"a":1}',
    '{"a":1,"\\u0061":1}',
    '{"\\u0061":1,"a":1}',
    '{"a/b":1,"a\\/b":1}',
    '{"é":1,"\\u00e9":1}',
    '{"😀":1,"\\ud83d\\ude00":1}',
    '{"":1,"":1}',
    '{"a":{"b":1,"b":1}}',
    '{"a":[{"b":1},{"b":1,"b":1}]}',
    '{"__proto__":1,"__proto__":1}',
    '{"__proto__":1,"__proto_\\u005f":1}',
  ])('%j', (text) => {
    expect(faultIn(text)).toBe('it has a duplicate member');
  });

  test('names that only look alike are two', () => {
    expect(faultIn('{"a":1,"A":2,"а":3,"a ":4,"é":5,"e\u0301":6}')).toBe('none');
  });
});

describe('T13, T14: what is not strict', () => {
  test.each([
    ['it is not an object', ['', ' ', '[]', '"a"', '1', 'null', 'true', '\uFEFF{}', '\u00a0{}', '\f{}', 'a{}', ',{}']],
    ['something follows the object', ['{}{}', '{} x', '{},', '{}\0', '{}\u00a0', '{}]', '{}}']],
    [
      'a member has no name',
      ['{', '{,}', '{"a":1,}', '{a:1}', "{'a':1}", '{1:1}', '{null:1}', '{/**/}', '{"a":1,,"b":2}'],
    ],
    ['a member has no value', ['{"a"', '{"a"}', '{"a" 1}', '{"a",1}', '{"a"=1}']],
    [
      'a value is missing',
      ['{"a":', '{"a":}', '{"a":,}', '{"a":[,]}', '{"a":[1,]}', '{"a":NaN}', '{"a":Infinity}', '{"a":-}'],
    ],
    [
      'a value is missing',
      ['{"a":+1}', '{"a":.5}', '{"a":undefined}', '{"a":TRUE}', '{"a":\'b\'}', '{"a":/**/1}', '{"a":١}'],
    ],
    [
      'a comma or a closing bracket is missing',
      ['{"a":1', '{"a":01}', '{"a":1.}', '{"a":1e}', '{"a":0x10}', '{"a":1 2}'],
    ],
    [
      'a comma or a closing bracket is missing',
      ['{"a":truest}', '{"a":[1}', '{"a":[1 2]}', '{"a":1]', '{"a":"b""c"}', '{"a":1_0}'],
    ],
    ['a string does not end', ['{"a', '{"a":"b', '{"a":"b}', '{"a":["']],
    [
      'a string contains an unknown escape',
      ['{"a":"\\x41"}', '{"a":"\\u12"}', '{"a":"\\u12g4"}', '{"a":"\\U0041"}', '{"a":"\\'],
    ],
    ['a string contains a control character', ['{"a":"\n"}', '{"a":"\t"}', '{"a":"\0"}', '{"\u001f":1}']],
    ['a string contains NUL', ['{"a":"\\u0000"}', '{"\\u0000":1}']],
    [
      'a string contains a lone surrogate',
      ['{"a":"\\ud800"}', '{"a":"\\udc00"}', '{"a":"\\ud83d\\ud83d"}', '{"a":"\\ud83dx"}'],
    ],
    [
      'a string contains a lone surrogate',
      ['{"a":"\\ude00\\ud83d"}', '{"a":"\\ud83d\\n"}', '{"\\udfff":1}', '{"a":"\\ud83d\\u0041"}'],
    ],
    ['it contains a lone surrogate', ['{"a":"\ud800"}', '{"\udc00":1}', '{}\ud800']],
    ['a number is out of range', ['{"a":[1e400]}', '{"a":{"b":-1e309}}', `{"a":[${'9'.repeat(400)}]}`]],
  ])('%s: %j', (fault, texts) => {
    for (const text of texts) expect(faultIn(text), text).toBe(fault);
  });

  test('nesting is read to its limit, and rejected one deeper, however deep', () => {
    const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    const arrays = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
    for (const nest of [objects, arrays]) {
      expect(faultIn(nest(MAX_JSON_DEPTH))).toBe('none');
      for (const depth of [MAX_JSON_DEPTH + 1, 1000, 100_000])
        expect(faultIn(nest(depth))).toBe('it is nested more than 32 deep');
    }
    expect(faultIn('{"a":['.repeat(100_000))).toBe('it is nested more than 32 deep');
  });

  test('depth is of nesting, not of how much there is', () => {
    expect(faultIn(`{"a":[${'{"b":[]},'.repeat(1000)}{}]}`)).toBe('none');
  });
});

describe('T17: numbers that are not spelled as plain integers', () => {
  function oddIn(text: string): readonly string[] {
    const read = parseStrictObject(text);
    return read.ok ? read.oddNumbers : ['unread'];
  }

  test.each(['1.0', '1e3', '1E3', '-1', '-0', '0.0', '1e400', '-1e400', '1.5'])('%s is named', (number) => {
    expect(oddIn(`{"a":1,"b":${number},"c":2}`)).toEqual(['b']);
  });

  test.each(['0', '1', '9007199254740993', '99999999999999999999999'])('%s is not', (number) => {
    expect(oddIn(`{"a":${number}}`)).toEqual([]);
  });

  test('only members of the outermost object are named, as they read', () => {
    expect(oddIn('{"a":[1.5,{"b":-1}],"c":{"d":1.5},"\\u0065":-1,"f":[],"g":-2}')).toEqual(['e', 'g']);
  });
});

test('the depth of a value is that of its deepest branch', () => {
  const cases: readonly (readonly [unknown, number])[] = [
    [1, 0],
    ['a', 0],
    [null, 0],
    [{}, 1],
    [[], 1],
    [{ a: 1 }, 1],
    [{ a: {}, b: [[]] }, 3],
    [{ a: { b: [{ d: {} }] } }, 5],
  ];
  for (const [value, depth] of cases) expect(depthOf(value as never), JSON.stringify(value)).toBe(depth);
});

describe('what nearly looks like a surrogate, or like nothing', () => {
  test.each(['{"a":"\\uffff\\ue000"}', '{"a":"\\ud83d\\ude00"}', '{"a":"\\uD83D\\uDE00"}', '{"a":[ ]}', '{"a":[\n]}'])(
    '%s is read',
    (text) => {
      expect(parseStrictObject(text)).toMatchObject({ ok: true, value: JSON.parse(text) });
    },
  );

  test.each([
    '{"a":"\\udc00\\udc00"}',
    '{"a":"\\udfff\\udc00"}',
    '{"a":"\\ud800\\u0adc"}',
    '{"a":"\\ud800\\ud800"}',
    '{"a":"\\ud800\\ue000"}',
    '{"a":"\\ud800\\n"}',
  ])('T13: %s contains a lone surrogate', (text) => {
    expect(parseStrictObject(text)).toEqual({ ok: false, fault: 'a string contains a lone surrogate' });
  });
});

describe('a compact text is settled without being scanned, and comes to the same as with a blank before it', () => {
  const agree = (text: string) => expect(parseStrictObject(text)).toEqual(parseStrictObject(` ${text}`));

  test.each([
    '{"a":-1,"b":1.5,"c":1e+21,"d":[-1,1.5,1e+21],"e":0,"f":1e-7,"g":999999999999999900000}',
    '{"a":"\\u0000"}',
    '{"a":"\\ud800"}',
    '{"a":"\\""}',
    '{"2":1,"1":2}',
    '{"a":{},"a":{}}',
    '{"a":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}',
    '{"a":1}{',
    '{"a":NaN}',
    '[]',
    '',
  ])('%j', agree);

  test.each([MAX_JSON_DEPTH - 1, MAX_JSON_DEPTH, MAX_JSON_DEPTH + 1, 1_000])('%i levels', (levels) => {
    agree(`{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`);
    agree(`${'{"a":'.repeat(levels)}0${'}'.repeat(levels)}`);
    agree(`{"a":[${Array(levels).fill('{}').join()}]}`);
  });

  test('objects of all kinds, and what becomes of them by a stroke of the pen', () => {
    const object = fc.dictionary(fc.string({ unit: 'binary', maxLength: 3 }), fc.jsonValue({ maxDepth: 4 }), {
      maxKeys: 5,
    });
    const stroke = fc.constantFrom(...Array.from('{}[]",:\\0123456789-.eE \t\0au'));
    fc.assert(
      fc.property(object, fc.nat(), stroke, fc.nat(2), (value, place, character, removed) => {
        const text = JSON.stringify(value);
        agree(text);
        const at = place % (text.length + 1);
        agree(text.slice(0, at) + character + text.slice(at + removed));
      }),
      { numRuns: rounds(3_000, 1_000) },
    );
  });
});

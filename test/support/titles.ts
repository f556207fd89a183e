// Reads the titles of the tests in a source file.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '../..');

/** Returns the texts in the arguments of `test`, `describe` and similar functions. The path is relative to the repository. */
export function titlesIn(path: string): readonly string[] {
  const titles: string[] = [];
  function visit(node: ts.Node): void {
    if (ts.isCallExpression(node) && /^(test|describe)/.test(node.expression.getText())) {
      for (const argument of node.arguments) {
        if (ts.isStringLiteralLike(argument) || ts.isTemplateExpression(argument)) {
          titles.push(argument.getText().slice(1, -1));
        }
      }
    }
    ts.forEachChild(node, visit);
  }
  visit(ts.createSourceFile(path, readFileSync(join(root, path), 'utf8'), ts.ScriptTarget.Latest, true));
  return titles;
}

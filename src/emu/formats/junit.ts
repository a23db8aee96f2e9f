/** Results of tests as a file of JUnit's form, which CI systems show. */
import { markupText } from './markup.ts';

export interface TestCase {
  readonly name: string;
  /** Seconds; left out: not measured. */
  readonly seconds?: number;
  /** Why it has failed, in one line; left out: it passed. */
  readonly failure?: string;
  /** More about the failure. */
  readonly detail?: string;
}

/** Text in XML, without characters that XML does not have. */
const escaped = (text: string): string =>
  markupText(text)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a program under test may print anything
    .replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '?');

/**
 * The file for one suite.
 * @param suite its name
 * @param classname what each case belongs to, as `loongscope.labs`
 */
export function junitFile(suite: string, classname: string, cases: readonly TestCase[]): string {
  const failed = cases.filter((c) => c.failure !== undefined).length;
  const counts = `tests="${cases.length}" failures="${failed}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="${escaped(suite)}" ${counts}>`,
    ...cases.map(({ name, seconds, failure, detail }) => {
      const time = seconds === undefined ? '' : ` time="${seconds.toFixed(3)}"`;
      const head = `    <testcase classname="${classname}" name="${escaped(name)}"${time}`;
      if (failure === undefined) return `${head}/>`;
      return `${head}>\n      <failure message="${escaped(failure)}">${escaped(detail ?? '')}</failure>\n    </testcase>`;
    }),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

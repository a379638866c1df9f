// A live query in GraphiQL, in a real Chromium: `node graphiql-live.mjs CHROMIUM URL FIRST SECOND`. The URL carries the
// query; prints the result when it shows FIRST, again when it shows SECOND, and what the console complained of.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [executablePath, address, ...wanted] = process.argv.slice(2);
const seen = { console: [], errors: [] };
const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
});

function watch(page) {
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) seen.console.push(message.text());
  });
  page.on('pageerror', (error) => seen.errors.push(String(error)));
}

async function shown(page, text) {
  await page.waitForFunction((wanted) => document.querySelector('.result-window').innerText.includes(wanted), text);
  return page.innerText('.result-window');
}

try {
  const page = browser.pages()[0] ?? (await browser.newPage());
  watch(page);
  await page.goto(address, { waitUntil: 'load' });
  await page.waitForFunction(() => document.querySelector('#viewer')?.value);
  await page.waitForTimeout(300); // the chosen viewer's token is on its way into the headers editor
  await page.click('.graphiql-execute-button');
  for (const text of wanted) {
    process.stdout.write(`${JSON.stringify(await shown(page, text))}\n`);
  }
  await page.click('.graphiql-execute-button'); // which stops it
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
process.stdout.write(`${JSON.stringify(seen)}\n`);

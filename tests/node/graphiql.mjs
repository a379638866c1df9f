// Opens GraphiQL in Chromium as a newcomer does, with no way to any other host:
// `node graphiql.mjs CHROMIUM URL [SCREENSHOT]`; what it saw is one JSON document on stdout.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [executablePath, address, screenshot] = process.argv.slice(2);
const { origin, hostname } = new URL(address);
const NOWHERE = '127.0.0.1:9';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  `--proxy-server=${NOWHERE}`,
  `--proxy-bypass-list=<-loopback>;${hostname}`,
];

const seen = { console: [], errors: [], violations: [], elsewhere: [], failed: [] };
const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: FLAGS,
  viewport: { width: 1440, height: 860 },
  deviceScaleFactor: 1,
});

function watch(page) {
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) seen.console.push(message.text());
  });
  page.on('pageerror', (error) => seen.errors.push(String(error)));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !/^(data|blob):/.test(url)) seen.elsewhere.push(url);
  });
  page.on('requestfailed', (request) => seen.failed.push(request.url()));
  page.on('response', (response) => {
    if (response.status() >= 400) seen.failed.push(`${response.status()} ${response.url()}`);
  });
}

async function run(page) {
  const answered = page.waitForResponse((response) => (response.request().postData() ?? '').includes('FirstLook'));
  await page.click('.graphiql-execute-button');
  const response = await answered;
  const authorization = response.request().headers().authorization ?? null;
  return { authorization, status: response.status(), answer: await response.json() };
}

async function shown(page, text) {
  await page.waitForFunction((wanted) => document.querySelector('.result-window').innerText.includes(wanted), text);
  return page.innerText('.result-window');
}

async function choose(page, index) {
  await page.selectOption('#viewer', { index });
  const label = await page.inputValue('#viewer');
  await page.waitForTimeout(300);
  return label;
}

async function editHeaders(page, text) {
  const editor = page.locator('.graphiql-editor[aria-label="Headers"], .graphiql-editor-tool .graphiql-editor:not(.hidden)').last();
  await editor.click();
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.press('Delete');
  await page.keyboard.insertText(text);
}

try {
  const page = browser.pages()[0] ?? (await browser.newPage());
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) =>
      window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`),
    );
  });
  watch(page);
  await page.goto(address, { waitUntil: 'load' });
  await page.waitForSelector('#viewer');
  await page.waitForSelector('.graphiql-execute-button');
  seen.address = page.url();
  seen.viewers = await page.$$eval('#viewer option', (options) => options.map((option) => option.label));

  seen.first = await run(page);
  seen.window = await shown(page, seen.first.answer.data.sites.nodes[0].name);

  await page.click('button[aria-label="Show Documentation Explorer"]');
  await page.waitForSelector('.graphiql-doc-explorer');
  await page.click('.graphiql-doc-explorer-type-name:text-is("Query")');
  await page.waitForFunction(() => /\bsiteBySlug\b/.test(document.querySelector('.graphiql-doc-explorer').innerText));
  seen.documentation = await page.innerText('.graphiql-doc-explorer');
  if (screenshot) {
    await page.mouse.move(700, 400);
    await page.waitForTimeout(500);
    await page.screenshot({ path: screenshot });
  }

  await page.click('button[aria-label="Show History"]');
  seen.history = await page.innerText('.graphiql-history');

  seen.neighbour = { label: await choose(page, 2), ...(await run(page)) };
  const token = seen.neighbour.authorization.split(' ')[1];
  await editHeaders(page, `{"AUTHORIZATION": "${token}"}`);
  seen.spelledOtherwise = await run(page);
  seen.socket = await page.evaluate(async () => {
    let seen = null;
    const real = window.graphqlWs;
    const createClient = (options) => ({
      iterate: async function* () {
        yield options;
      },
      dispose() {},
    });
    window.graphqlWs = { createClient };
    const documentAST = { definitions: [{ kind: 'OperationDefinition', operation: 'subscription' }] };
    const headers = { ' authorization ': 'bearer x', 'x-tenant-ID': 't' };
    for await (const options of createFetcher('/graphql')({ query: '' }, { headers, documentAST })) {
      seen = { url: options.url, connectionParams: options.connectionParams };
    }
    window.graphqlWs = real;
    return seen;
  });
  seen.violations = await page.evaluate(() => window.violations);
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
process.stdout.write(`${JSON.stringify(seen)}\n`);

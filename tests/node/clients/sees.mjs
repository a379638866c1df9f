// Whether snapshots see transactions, by the function of README.md: `node sees.mjs README_JS PAIRS`.

const [readme, pairs] = process.argv.slice(2);
const { sees } = await import(readme);
process.stdout.write(JSON.stringify(JSON.parse(pairs).map(([snapshot, transaction]) => sees(snapshot, transaction))));

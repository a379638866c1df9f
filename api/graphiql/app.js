'use strict';

// The page around GraphiQL: a bar that says what this is and, in a demo, whom to ask as.

(() => {
  const { createElement: h, useEffect, useState } = React;
  const IS_DEMO = document.documentElement.dataset.demo === 'yes';
  const REMEMBERED = 'msp:demo-viewer';
  const HOW_TO_SIGN_IN = IS_DEMO
    ? `# You ask as the viewer at the top.
# For another, paste a token printed by
# \`make demo\` into Headers below.`
    : `# Put a token into Headers below:
# { "Authorization": "Bearer ..." }`;
  const FIRST_QUERY = `# Run this: the button, or Ctrl-Enter.
#
${HOW_TO_SIGN_IN}
#
# Ctrl-Space completes what you type.

query FirstLook {
  viewer {
    user { name }
    tenant { name }
    role { name }
  }
  sites(first: 5) {
    totalCount
    nodes {
      name
      tenant { name }
      agents(first: 3) {
        totalCount
        nodes { hostname platform healthCheck { status } }
      }
    }
  }
}
`;

  async function demoViewers() {
    const response = await fetch('demo-issuer/viewers', { method: 'POST' });
    return response.ok ? response.json() : [];
  }

  const fetcher = createFetcher('graphql');
  const given = new URLSearchParams(location.search);

  function headersOf(viewer) {
    return JSON.stringify({ Authorization: `Bearer ${viewer.token}` }, null, 2);
  }

  function Viewers({ viewers, chosen, onChoose }) {
    const options = viewers.map(({ label }) => h('option', { key: label, value: label }, label));
    const select = h(
      'select',
      { id: 'viewer', value: chosen, onChange: (event) => onChoose(event.target.value) },
      options,
    );
    return h('label', { className: 'viewers' }, h('span', null, 'Ask as'), select);
  }

  function Bar({ children }) {
    return h(
      'header',
      { className: 'bar' },
      h('img', { src: document.querySelector('link[rel=icon]').href, alt: '', width: 26, height: 26 }),
      h('strong', null, 'MSP GraphQL'),
      IS_DEMO && h('span', { className: 'pill', title: 'The data are invented' }, 'demo'),
      children,
    );
  }

  function useDemoViewers() {
    const [viewers, setViewers] = useState([]);
    const [chosen, setChosen] = useState('');
    useEffect(() => {
      if (!IS_DEMO) return;
      demoViewers().then((found) => {
        const remembered = localStorage.getItem(REMEMBERED);
        setViewers(found);
        setChosen((found.find(({ label }) => label === remembered) ?? found[0])?.label ?? '');
      });
    }, []);
    const choose = (label) => {
      localStorage.setItem(REMEMBERED, label);
      setChosen(label);
    };
    return [viewers, chosen, choose];
  }

  function App() {
    const [viewers, chosen, choose] = useDemoViewers();
    const viewer = viewers.find(({ label }) => label === chosen);
    const headers = viewer && headersOf(viewer);
    return h(
      React.Fragment,
      null,
      h(Bar, null, viewer && h(Viewers, { viewers, chosen, onChoose: choose })),
      h(
        GraphiQL,
        {
          fetcher,
          headers,
          defaultHeaders: headers,
          defaultQuery: FIRST_QUERY,
          defaultEditorToolsVisibility: 'headers',
          query: given.get('query') ?? undefined,
          variables: given.get('variables') ?? undefined,
          operationName: given.get('operationName') ?? undefined,
        },
        h(GraphiQL.Logo, null, ' '),
      ),
    );
  }

  ReactDOM.createRoot(document.getElementById('app')).render(h(App));
})();

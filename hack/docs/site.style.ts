// Owns how the site looks. Nothing is loaded from elsewhere.

/** The one style sheet. */
export const STYLE = `:root {
  color-scheme: light dark;
  --text: light-dark(#1f2328, #d8dee4);
  --quiet: light-dark(#59636e, #9198a1);
  --line: light-dark(#d1d9e0, #3d444d);
  --block: light-dark(#f6f8fa, #151b23);
  --link: light-dark(#0958c8, #6cb0ff);
}
* { box-sizing: border-box; }
body {
  margin: 0 auto;
  max-width: 80rem;
  display: grid;
  grid-template-columns: 14rem minmax(0, 1fr);
  gap: 2.5rem;
  padding: 0 1.5rem;
  color: var(--text);
  background: light-dark(#fff, #0d1117);
  font: 1rem/1.6 system-ui, sans-serif;
}
nav { padding: 1.5rem 0; font-size: 0.9rem; align-self: start; position: sticky; top: 0; max-height: 100vh; overflow-y: auto; }
nav p { font-weight: 700; font-size: 1.1rem; margin: 0 0 1rem; }
nav h2 { font-size: 0.8rem; margin: 1rem 0 0.25rem; color: var(--quiet); border: 0; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li a { display: block; padding: 0.1rem 0; }
nav a[aria-current] { color: var(--text); font-weight: 600; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; }
main { padding: 1rem 0 4rem; }
a { color: var(--link); text-underline-offset: 0.15em; }
nav a { text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
h1, h2, h3 { line-height: 1.25; scroll-margin-top: 1rem; }
h2 { margin-top: 2.2rem; padding-bottom: 0.25rem; border-bottom: 1px solid var(--line); }
code, pre { font-family: ui-monospace, monospace; font-size: 0.87em; }
code { background: var(--block); padding: 0.1em 0.3em; border-radius: 4px; }
pre { background: var(--block); border: 1px solid var(--line); border-radius: 6px; padding: 0.8rem 1rem; overflow-x: auto; }
pre code { background: none; padding: 0; font-size: 1em; }
table { display: block; overflow-x: auto; border-collapse: collapse; }
th, td { border: 1px solid var(--line); padding: 0.35rem 0.7rem; text-align: left; vertical-align: top; }
th { background: var(--block); }
@media (max-width: 50rem) {
  body { grid-template-columns: minmax(0, 1fr); gap: 0; }
  nav { position: static; max-height: none; border-bottom: 1px solid var(--line); }
}
`;

// Runs before everything else: the theme of the first frame, and the rule that no text ever becomes HTML.
'use strict';

document.documentElement.dataset.theme =
  new URLSearchParams(location.search).get('theme') === 'dark' ? 'dark' : 'light';

// The page's policy refuses strings where HTML is expected. Leaflet needs one constant to find out whether the
// browser knows SVG; everything else stays refused.
trustedTypes.createPolicy('default', {
  createHTML: (text) => (text === '<svg/>' ? text : null),
  createScript: () => null,
  createScriptURL: () => null,
});

'use strict';
(() => {
  const steps = [...document.querySelectorAll('.step')];
  const links = [...document.querySelectorAll('.contents a')];
  const keys = document.getElementById('keys');
  const hint = document.getElementById('hint');
  let at = 0;

  const mark = (i) => {
    at = Math.max(0, Math.min(steps.length - 1, i));
    steps.forEach((step, n) => step.classList.toggle('here', n === at));
    links.forEach((link, n) => {
      if (n === at) link.setAttribute('aria-current', 'step');
      else link.removeAttribute('aria-current');
    });
    const list = document.querySelector('.contents');
    const row = links[at].offsetTop - list.offsetTop;
    if (row < list.scrollTop || row > list.scrollTop + list.clientHeight - 40) list.scrollTop = row - list.clientHeight / 2;
  };
  const go = (i) => {
    mark(i);
    history.replaceState(null, '', '#' + steps[at].id);
    steps[at].scrollIntoView({ block: 'start' });
    steps[at].focus({ preventScroll: true });
  };
  const follow = () => mark(steps.findIndex((step) => '#' + step.id === location.hash));
  const fold = (all) => {
    const open = all.some((one) => !one.open);
    all.forEach((one) => { one.open = open; });
  };
  const inside = (place) => [...place.querySelectorAll('details')];
  const help = () => (keys.open ? keys.close() : keys.showModal());

  const acts = {
    j: () => go(at + 1), ArrowRight: () => go(at + 1),
    k: () => go(at - 1), ArrowLeft: () => go(at - 1),
    g: () => go(0), G: () => go(steps.length - 1),
    Enter: () => fold(inside(steps[at])), ' ': () => fold(inside(steps[at])),
    e: () => fold(inside(document)),
    '?': help,
  };
  document.addEventListener('keydown', (event) => {
    const own = event.target.closest && event.target.closest('summary, a, button');
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    if (keys.open && event.key !== '?') return;
    if (own && (event.key === 'Enter' || event.key === ' ')) return;
    event.preventDefault();
    act();
  });
  hint.hidden = false;
  hint.addEventListener('click', help);
  window.addEventListener('hashchange', follow);
  follow();
})();

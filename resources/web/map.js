// Puts the map together and connects it with the program. What the program says arrives as JSON, what the person
// does leaves through the slots of the bridge; names and other text are only ever set as text.
'use strict';

(() => {
  const byId = (id) => document.getElementById(id);
  const NOWHERE = { lat: 40.7549, lon: -73.984, zoom: 12 };
  const AIM_FROM = 12; // pixels that the pointer must go before it gives a direction

  /** Connect with the program; the promise holds its bridge. */
  const connect = () => new Promise((resolve) => {
    new QWebChannel(qt.webChannelTransport, (channel) => resolve(channel.objects.bridge));
  });

  function start(bridge) {
    const say = {
      picked: (lat, lon) => bridge.picked(lat, lon),
      heading: (degrees) => bridge.heading(degrees),
      resultClicked: (id) => bridge.resultClicked(id),
      exampleClicked: (index) => bridge.exampleClicked(index),
      regionClicked: (id) => bridge.regionClicked(id),
      landmarkClicked: (id) => bridge.landmarkClicked(id),
      regionHovered: (id) => bridge.regionHovered(id),
      drawn: (kind, points) => bridge.drawn(kind, points),
      edited: (id, polygons) => bridge.edited(id, polygons),
      drafted: (kind, shape) => bridge.drafted(kind, shape),
      toolEnded: () => bridge.toolEnded(),
    };

    const map = L.map('map', {
      attributionControl: false,
      zoomControl: false,
      preferCanvas: true,
      renderer: L.canvas({ padding: 0.3 }),
      doubleClickZoom: false, // a click picks, so a second one must not also zoom
      boxZoom: false,
      zoomSnap: 0.25,
      zoomDelta: 0.75,
      wheelPxPerZoomLevel: 90,
      minZoom: 10,
      maxZoom: 19,
      maxBoundsViscosity: 0.8,
      worldCopyJump: false,
    });
    map.createPane('city').style.zIndex = 250;
    const examples = new Marks.Examples(map, say); // arranges its cards before the city's names look for room
    const boxOf = (element) => {
      const { left, top, right, bottom } = element.getBoundingClientRect();
      return [left, top, right, bottom];
    };
    const boxesOf = (...ids) => ids.map(byId).filter((element) => !element.hidden).map(boxOf);
    const tip = new Regions.Tip(byId('tip'), () => boxesOf('hint', 'zoom'));
    const regions = new Regions.Layer(map, say, tip);
    const city = new Cartography.CityLayer();
    city.setTheme();
    city.addTo(map);
    const results = new Marks.Results(map, say);
    const walk = new Walk.Path(map);
    const landmarks = new Landmarks.Layer(map, say);
    const pin = new Marks.Pin(map, say);
    const drawer = new Drawing.Drawer(map, say, tip, () => {
      regions.setQuiet(drawer.isActive, drawer.isEditing ? drawer.id : '');
      updateHint();
    });
    examples.setObstacles(() => boxesOf('hint', 'zoom', 'scale', 'attribution'));
    city.setObstacles(() => [
      ...regions.boxes, ...landmarks.boxes, ...(pin.isShown ? [] : [...(examples.boxes ?? []), boxOf(byId('hint'))]),
    ]);

    let home = null; // the view of the whole city
    let limits = null; // how far one can drag away from it
    let isPicking = true; // whether a click chooses a place
    let isReduced = matchMedia('(prefers-reduced-motion: reduce)').matches;

    // View

    function goTo({ lat, lon, zoom, box }, animate) {
      if (box) {
        const bounds = L.latLngBounds([box[0], box[1]], [box[2], box[3]]);
        const target = map.getBoundsZoom(bounds, false, L.point(80, 96));
        const centre = bounds.getCenter();
        goTo({ lat: centre.lat, lon: centre.lng, zoom: target }, animate);
        return;
      }
      const level = zoom ?? (map._loaded ? map.getZoom() : NOWHERE.zoom);
      map.setMaxBounds(limits?.contains([lat, lon]) ? limits : null); // typed coordinates may lie far away
      if (animate && !isReduced && map._loaded) map.flyTo([lat, lon], level, { duration: 0.8 });
      else map.setView([lat, lon], level, { animate: false });
    }

    function tellView() {
      const { lat, lng } = map.getCenter().wrap();
      bridge.viewChanged(lat, lng, map.getZoom());
    }

    map.on('moveend', tellView);

    // City and coverage

    async function fetchJson(url) {
      const reply = await fetch(url);
      if (!reply.ok) throw new Error(`${url}: ${reply.status}`);
      return reply.json();
    }

    function setAttribution(text) {
      const line = byId('attribution');
      line.replaceChildren();
      const addLink = (label, url) => {
        const link = document.createElement('a');
        link.textContent = label;
        link.href = url;
        link.target = '_blank';
        link.rel = 'noreferrer';
        line.append(link);
      };
      // Addresses in the text become links; everything else stays text.
      for (const part of text.split(/(https:\/\/[^\s<>"']+[^\s<>"'.,;:)])/)) {
        if (part.startsWith('https://')) addLink(part.slice(8), part);
        else line.append(part);
      }
      if (text) line.append(' · ');
      addLink('Leaflet', 'https://leafletjs.com');
    }

    function showEmpty(sentence) {
      byId('empty').textContent = sentence;
      byId('empty').hidden = !sentence;
    }

    let cityCount = 0;
    let citySentence = '';
    let viewCount = 0;

    async function showCity({ url, go }) {
      cityCount += 1;
      const mine = cityCount;
      const viewsBefore = viewCount;
      let data = null;
      let sentence = '';
      try {
        data = url ? await fetchJson(url) : null;
        if (mine !== cityCount) return; // another city was set in the meantime
        city.setCity(data);
      } catch (error) {
        data = null;
        city.setCity(null);
        sentence = 'The map of this city cannot be read.';
        tellError(error);
      }
      const hasLayers = Object.values(data?.layers ?? {}).some((layer) => layer?.features?.length);
      citySentence = hasLayers
        ? '' : `${sentence || 'There is no map of this city yet.'} Every click still chooses a place.`;
      byId('empty').classList.remove('low');
      showEmpty(citySentence);
      home = data ? homeOf(data) : null;
      const box = data?.box;
      limits = box ? L.latLngBounds([box.south, box.west], [box.north, box.east]).pad(0.6) : null;
      byId('zoom-home').disabled = !home;
      setAttribution(String(data?.attribution ?? ''));
      if (landmarkItems.length) placeLandmarks();
      // A view that the window asked for while the city was on its way stays.
      if ((go && viewCount === viewsBefore) || !map._loaded) goTo(home ?? NOWHERE, false);
      frameExamples();
      // Two frames later the city is on the screen.
      requestAnimationFrame(() => requestAnimationFrame(() => bridge.cityShown()));
    }

    function homeOf({ centre, box, zoom }) {
      return {
        lat: centre?.[0] ?? (box.south + box.north) / 2,
        lon: centre?.[1] ?? (box.west + box.east) / 2,
        zoom: zoom ?? NOWHERE.zoom,
      };
    }

    /** While the map stands where it began, show all the places that it invites to. */
    function frameExamples() {
      const places = examples.items.map(({ marker }) => marker.getLatLng());
      const isAtHome = home && map._loaded && map.getZoom() === home.zoom && map.getCenter().distanceTo(home) < 50;
      if (!places.length || pin.isShown || !isAtHome) return;
      const { x: width, y: height } = map.getSize();
      const isInSight = places.map((place) => map.latLngToContainerPoint(place)).every(({ x, y }) => (
        x > 24 && x < width - 24 && y > 72 && y < height - 96));
      if (isInSight) return;
      map.fitBounds(L.latLngBounds(places), {
        paddingTopLeft: [40, 88], paddingBottomRight: [40, 120], maxZoom: home.zoom, animate: false,
      });
    }

    let coverageCount = 0;

    async function showCoverage({ url }) {
      coverageCount += 1;
      const mine = coverageCount;
      const data = url ? await fetchJson(url) : null;
      if (mine === coverageCount) city.setCoverage(data);
    }

    // Marks

    let wasInviting = false;

    function updateHint() {
      const invites = examples.items.length > 0 && !pin.isShown && !drawer.isActive;
      const invitation = invites ? 'Click one of the glowing places, or anywhere on the map' : '';
      const hint = drawer.isActive ? drawer.hint : invitation;
      if (byId('hint').textContent !== hint) byId('hint').textContent = hint; // a reader says what changes
      byId('hint').hidden = !hint;
      examples.setQuiet(pin.isShown);
      examples.giveWay(pin.isShown ? pin.latlng : null);
      if (map._loaded) examples.arrange(); // the cards make room for the hint
      if (invites !== wasInviting) city.redraw(); // names may take the room or must leave it
      wasInviting = invites;
    }

    function showPin(place) {
      pin.show(place);
      updateHint();
    }

    function pick(latlng) {
      pin.pick(latlng);
      updateHint();
    }

    /** A click, or Enter in the middle of the map. */
    function press(latlng) {
      const region = drawer.takesClicks() ? null : regions.at(latlng);
      if (drawer.takesClicks()) drawer.click(latlng);
      else if (region) say.regionClicked(region.id);
      else if (isPicking) pick(latlng);
    }

    map.on('click', (event) => press(event.latlng));
    byId('map').addEventListener('keydown', (event) => {
      if (event.target === byId('map') && (event.key === 'Enter' || event.key === ' ')) {
        event.preventDefault();
        press(map.getCenter());
      }
    });

    // Right drag or Alt drag: stand where it begins, look where it goes. A right click on the dial forgets the
    // direction.
    function startAiming(event) {
      if (!isPicking || drawer.isActive) return;
      if (event.button !== 2 && !(event.button === 0 && event.altKey)) return;
      event.preventDefault();
      event.stopPropagation();
      const stage = byId('map');
      const from = map.mouseEventToContainerPoint(event);
      const keeps = pin.covers(from);
      const origin = keeps ? map.latLngToContainerPoint(pin.latlng) : from;
      let isAiming = false;
      stage.setPointerCapture(event.pointerId);
      const follow = (move) => {
        const to = map.mouseEventToContainerPoint(move);
        if (!isAiming && from.distanceTo(to) < AIM_FROM) return;
        if (!isAiming && !keeps) pick(map.containerPointToLatLng(from));
        isAiming = true;
        pin.busy = true;
        pin.root.classList.add('turning');
        pin._turnSoon(Math.round(Marks.bearingOf(to.x - origin.x, to.y - origin.y)));
      };
      const stop = () => {
        stage.removeEventListener('pointermove', follow);
        stage.removeEventListener('pointerup', stop);
        stage.removeEventListener('pointercancel', stop);
        pin._turnNow();
        pin.busy = false;
        pin.root.classList.remove('turning');
        if (!isAiming && keeps) pin.turnTo(null);
      };
      stage.addEventListener('pointermove', follow);
      stage.addEventListener('pointerup', stop);
      stage.addEventListener('pointercancel', stop);
    }

    byId('map').addEventListener('pointerdown', startAiming, true);
    // Leaflet starts its own drag on the mouse event that follows.
    byId('map').addEventListener('mousedown', (event) => {
      if (event.button === 2 || event.altKey) event.stopPropagation();
    }, true);
    document.addEventListener('contextmenu', (event) => event.preventDefault());

    // Regions, drawing and walks

    let regionCount = 0;
    let shapes = { url: null, list: [] };
    let isEveryRegionShown = Promise.resolve();

    function setPicking(picking) {
      isPicking = picking;
      byId('map').classList.toggle('choosing', !picking);
    }

    async function showRegions({ url, items }) {
      regionCount += 1;
      const mine = regionCount;
      if (url !== shapes.url) {
        let list;
        try {
          list = url ? await fetchJson(url) : [];
        } catch (error) {
          if (mine === regionCount) throw error;
          return; // others have taken their place in the meantime
        }
        if (mine !== regionCount) return;
        shapes = { url, list };
      }
      regions.show(shapes.list, items);
      city.redraw(); // names make room for the pictures
    }

    let toolCount = 0;

    async function showTool(tool) {
      toolCount += 1;
      const mine = toolCount;
      if (tool?.mode === 'edit') await isEveryRegionShown;
      if (mine !== toolCount) return;
      const region = tool?.mode === 'edit' ? regions.get(tool.id) : null;
      if (!tool) drawer.stop();
      else if (tool.mode !== 'edit') drawer.start(tool.mode, tool.draft);
      else if (region) drawer.edit(tool.id, region.shape.polygons, tool.draft);
    }

    let walkCount = 0;

    async function showWalk({ url }) {
      walkCount += 1;
      const mine = walkCount;
      const points = url ? await fetchJson(url) : [];
      if (mine === walkCount) walk.show(points);
    }

    let landmarkCount = 0;
    let landmarkItems = [];

    /** Show the landmarks; where the map has no city under the chosen one, say so. */
    function placeLandmarks() {
      const isBare = ({ lat, lon }) => Boolean(limits) && !limits.contains([lat, lon]);
      landmarks.show(landmarkItems, isBare);
      if (!home) return;
      const isAway = landmarkItems.some((item) => item.chosen && isBare(item));
      byId('empty').classList.toggle('low', isAway);
      showEmpty(isAway ? 'There is no map of this city yet. What stands here is true to scale.' : citySentence);
    }

    async function showLandmarks({ url }) {
      landmarkCount += 1;
      const mine = landmarkCount;
      let items;
      try {
        items = url ? await fetchJson(url) : [];
      } catch (error) {
        if (mine === landmarkCount) throw error;
        return; // others have taken their place in the meantime
      }
      if (mine !== landmarkCount) return;
      landmarkItems = items;
      placeLandmarks();
      city.redraw(); // names make room
    }

    // Controls

    byId('zoom-in').addEventListener('click', () => map.zoomIn());
    byId('zoom-out').addEventListener('click', () => map.zoomOut());
    byId('zoom-home').addEventListener('click', () => home && goTo(home, true));

    function updateControls() {
      byId('zoom-in').disabled = map.getZoom() >= map.getMaxZoom();
      byId('zoom-out').disabled = map.getZoom() <= map.getMinZoom();
      const middle = map.getSize().y / 2;
      const metres = map.distance(map.containerPointToLatLng([0, middle]), map.containerPointToLatLng([100, middle]));
      const power = 10 ** Math.floor(Math.log10(metres));
      const round = [5, 2, 1].map((factor) => factor * power).find((length) => length <= metres);
      const text = round >= 1000 ? `${round / 1000} km` : `${round} m`;
      byId('scale-bar').style.width = `${(100 * round) / metres}px`;
      byId('scale-text').textContent = text;
      byId('scale').setAttribute('aria-label', `The bar is ${text} long.`);
    }

    map.on('moveend resize', () => map._loaded && updateControls());
    // The credits take a second line where the map is narrow.
    new ResizeObserver(() => {
      document.documentElement.style.setProperty('--foot', `${byId('foot').offsetHeight}px`);
      if (!map._loaded) return;
      examples.arrange();
      city.redraw();
    }).observe(byId('foot'));
    window.addEventListener('resize', () => city.refresh()); // also when the window moves to a sharper screen

    // What the program says

    function setTheme(theme) {
      document.documentElement.dataset.theme = theme === 'dark' ? 'dark' : 'light';
      city.setTheme();
      results.setTheme();
    }

    function setMotion({ reduced }) {
      isReduced = reduced || matchMedia('(prefers-reduced-motion: reduce)').matches;
      document.body.classList.toggle('still', isReduced);
      map._zoomAnimated = !isReduced && L.Browser.any3d; // Leaflet reads its option only once, at the start
      map.options.inertia = !isReduced;
    }

    const tellError = (error) => bridge.pageError(String(error?.stack ?? error), false);
    const on = (signal, act) => signal.connect(async (text) => {
      try {
        await act(JSON.parse(text));
      } catch (error) {
        tellError(error);
      }
    });
    on(bridge.show_theme, setTheme);
    on(bridge.show_motion, setMotion);
    on(bridge.show_view, (view) => {
      if (view.ifHidden && (!map._loaded || map.getBounds().pad(-0.08).contains([view.lat, view.lon]))) return;
      viewCount += 1;
      goTo(view, view.animate);
    });
    on(bridge.show_city, showCity);
    on(bridge.show_coverage, showCoverage);
    on(bridge.show_examples, (places) => {
      examples.show(places);
      updateHint();
      frameExamples();
    });
    on(bridge.show_pin, showPin);
    on(bridge.show_results, (items) => results.show(items));
    on(bridge.show_picking, setPicking);
    on(bridge.show_regions, (all) => {
      isEveryRegionShown = showRegions(all);
      return isEveryRegionShown;
    });
    on(bridge.show_highlight, (id) => regions.highlight(id));
    on(bridge.show_tool, showTool);
    on(bridge.show_tool_step, (step) => {
      if (drawer.isActive) drawer[step === 'undo' ? 'undo' : 'finish']();
    });
    on(bridge.show_walk, showWalk);
    on(bridge.show_walker, (index) => walk.stand(index));
    on(bridge.show_landmarks, showLandmarks);
    window.addEventListener('error', (event) => tellError(`${event.message} (${event.filename}:${event.lineno})`));
    window.addEventListener('unhandledrejection', (event) => tellError(event.reason));

    updateHint();
    bridge.pageReady();
  }

  connect().then((bridge) => {
    try {
      start(bridge);
    } catch (error) {
      bridge.pageError(String(error?.stack ?? error), true);
    }
  });
})();

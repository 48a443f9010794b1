// Landmarks on the ground: a mark and a name, the outline of the lifted mesh, rings of distance, and where photos of
// it were taken. Everything but the mark and the name is drawn true to scale.
'use strict';

const Landmarks = (() => {
  const { svg, html } = Marks;
  const RINGS = [10, 20, 50, 100, 200, 500, 1000]; // metres
  const METRES_PER_DEGREE = 111195;
  const STEPS = 48; // of an arc

  /** A point some metres away in a direction (degrees clockwise from north); exact enough for a kilometre. */
  function away({ lat, lon }, degrees, metres) {
    const radians = (degrees * Math.PI) / 180;
    const north = (Math.cos(radians) * metres) / METRES_PER_DEGREE;
    const east = (Math.sin(radians) * metres) / (METRES_PER_DEGREE * Math.cos((lat * Math.PI) / 180));
    return [lat + north, lon + east];
  }

  class Layer {
    constructor(map, say) {
      this.map = map;
      this.say = say;
      this.layers = [];
      this.marks = [];
      map.createPane('landmarks').style.zIndex = 420;
      this.renderer = L.svg({ pane: 'landmarks', padding: 0.3 });
    }

    /** Boxes in container pixels that the names take. */
    get boxes() {
      if (!this.map._loaded) return [];
      return this.marks.map(({ root }) => {
        const { left, top, right, bottom } = root.getBoundingClientRect();
        return [left, top, right, bottom];
      });
    }

    /** Show these landmarks (see `MapView.set_landmarks`); `isBare` says whether the map has nothing there. */
    show(items, isBare) {
      for (const layer of this.layers) layer.remove();
      for (const { marker } of this.marks) marker.remove();
      this.layers = [];
      this.marks = [];
      const options = { renderer: this.renderer, pane: 'landmarks', interactive: false, smoothFactor: 0 };
      const add = (layer) => this.layers.push(layer.addTo(this.map));
      for (const item of items) {
        if (item.chosen) this._surround(item, options, add, isBare(item));
        if (item.footprint.length > 2) {
          const className = item.chosen ? 'footprint chosen' : 'footprint';
          add(L.polygon(item.footprint, { ...options, className }));
        }
        this._mark(item);
      }
    }

    _surround(item, options, add, isBare) {
      const reach = Math.max(60, item.height * 3);
      const rings = RINGS.filter((metres) => metres <= reach).slice(-3);
      const farthest = rings[rings.length - 1];
      const around = (metres) => Array.from({ length: STEPS }, (_, step) => away(item, (360 * step) / STEPS, metres));
      if (isBare) add(L.polygon(around(farthest * 1.25), { ...options, className: 'ground' }));
      if (item.sector) {
        const [from, to] = item.sector;
        const arc = Array.from({ length: 9 }, (_, step) => away(item, from + ((to - from) * step) / 8, farthest));
        add(L.polygon([[item.lat, item.lon], ...arc], { ...options, className: 'sector' }));
      }
      for (const metres of rings) {
        add(L.polygon(around(metres), { ...options, className: 'ring' }));
        const text = html('span', 'ring-text', `${metres} m`);
        text.setAttribute('aria-hidden', 'true');
        add(L.marker(away(item, 180, metres), {
          icon: L.divIcon({ className: 'ring-label', html: text, iconSize: [0, 0], iconAnchor: [0, 0] }),
          keyboard: false, interactive: false, pane: 'landmarks',
        }));
      }
      for (const [lat, lon] of item.photos) {
        add(L.circleMarker([lat, lon], { ...options, radius: 1.8, className: 'standpoint' }));
      }
      if (item.heading !== null) {
        const line = [away(item, item.heading, farthest * 0.06), away(item, item.heading, farthest)];
        add(L.polyline(line, { ...options, className: 'front' }));
      }
    }

    _mark(item) {
      const dot = svg('svg', { viewBox: '-9 -9 18 18', 'aria-hidden': 'true' }, [
        svg('path', { d: 'M0 -6.5L6.5 0L0 6.5L-6.5 0Z' }),
      ]);
      const root = html('button', item.chosen ? 'landmark chosen' : 'landmark');
      root.type = 'button';
      root.setAttribute('aria-pressed', String(item.chosen));
      const name = html('span', 'landmark-name', item.name);
      name.dir = 'auto';
      root.append(dot, name);
      root.addEventListener('click', (event) => {
        event.stopPropagation();
        this.say.landmarkClicked(item.id);
      });
      for (const kind of ['dblclick', 'mousedown', 'pointerdown']) {
        root.addEventListener(kind, (event) => event.stopPropagation());
      }
      const marker = L.marker([item.lat, item.lon], {
        icon: L.divIcon({ className: 'landmark-icon', html: root, iconSize: [0, 0], iconAnchor: [0, 0] }),
        keyboard: false,
        zIndexOffset: item.chosen ? 500 : 400,
      }).addTo(this.map);
      this.marks.push({ marker, root });
    }
  }

  return { Layer };
})();

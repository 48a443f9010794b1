// A walk through the city: its line, and a dot that goes along it.
'use strict';

const Walk = (() => {
  const { svg } = Marks;

  class Path {
    constructor(map) {
      this.map = map;
      this.points = [];
      this.index = null;
      map.createPane('walk').style.zIndex = 430;
      const options = { renderer: L.svg({ pane: 'walk', padding: 0.3 }), pane: 'walk', interactive: false };
      this.casing = L.polyline([], { ...options, className: 'walk-casing' });
      this.line = L.polyline([], { ...options, className: 'walk-line' });
      this.gone = L.polyline([], { ...options, className: 'walk-gone' });
      this.ends = [0, 1].map(() => L.circleMarker([0, 0], { ...options, radius: 4, className: 'walk-end' }));
      this.beak = svg('path', { class: 'walker-beak', d: 'M-5.5 -5L0 -15L5.5 -5Z' });
      const root = svg('svg', { viewBox: '-20 -20 40 40', 'aria-hidden': 'true' }, [
        svg('circle', { class: 'walker-halo', r: 13 }),
        this.beak,
        svg('circle', { class: 'walker-dot', r: 7 }),
      ]);
      this.walker = L.marker([0, 0], {
        icon: L.divIcon({ className: 'walker', html: root, iconSize: [0, 0], iconAnchor: [0, 0] }),
        keyboard: false, interactive: false, zIndexOffset: 900,
      });
    }

    /** Show a walk through points of [lat, lon, heading or null]; none takes it away. */
    show(points) {
      this.points = points;
      const line = points.map(([lat, lon]) => [lat, lon]);
      const isShown = line.length > 1;
      for (const layer of [this.casing, this.line, this.gone, ...this.ends]) {
        if (isShown) layer.addTo(this.map);
        else layer.remove();
      }
      this.casing.setLatLngs(line);
      this.line.setLatLngs(line);
      if (isShown) {
        this.ends[0].setLatLng(line[0]);
        this.ends[1].setLatLng(line[line.length - 1]);
      }
      this.stand(this.index);
    }

    /** Put the dot on a point, counted from 0; null takes it away. */
    stand(index) {
      this.index = index;
      const place = index === null ? undefined : this.points[index];
      this.gone.setLatLngs(place ? this.points.slice(0, index + 1).map(([lat, lon]) => [lat, lon]) : []);
      if (!place) {
        this.walker.remove();
        return;
      }
      const [lat, lon, heading] = place;
      this.walker.setLatLng([lat, lon]).addTo(this.map);
      this.beak.style.display = heading === null ? 'none' : '';
      this.beak.setAttribute('transform', `rotate(${heading ?? 0})`);
    }
  }

  return { Path };
})();

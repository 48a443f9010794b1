// The layer of the city: land, coverage, streets and names on one canvas, which Leaflet moves and scales like its own.
'use strict';

const Cartography = (() => {
  const { readCity, readCoverage, ramp, blend, STREET_WIDTHS, View } = Geometry;
  const COLOURS = [
    'water', 'shallow', 'waterline', 'water-ink', 'coast', 'land', 'shore', 'shore-ink', 'park', 'park-edge', 'park-ink', 'street',
    'street-edge', 'street-far', 'street-halo', 'street-ink', 'avenue', 'avenue-edge', 'avenue-far', 'border',
    'area-ink', 'landmark-ink', 'landmark-year', 'landmark-dot', 'glow-outer', 'glow-middle', 'glow-core',
    'glow-blend', 'glow-under', 'glow-over',
  ];
  const STREET_OPACITIES = [
    [[13, 0], [13.8, 1]],
    [[12, 0], [12.8, 1]],
    [[10, 0.5], [11.5, 1]],
  ];

  const CityLayer = L.Renderer.extend({
    options: { pane: 'city', padding: 0.3 },

    initialize(options) {
      L.Renderer.prototype.initialize.call(this, options);
      this._city = undefined; // null as soon as it is known that there is none
      this._coverage = null;
      this._colours = {};
      this._obstacles = () => [];
    },

    setCity(data) {
      this._city = data ? readCity(data) : null;
      this.redraw();
    },

    setCoverage(data) {
      this._coverage = data ? readCoverage(data) : null;
      this.redraw();
    },

    /** Take a function that returns the boxes, in container pixels, which names keep clear of. */
    setObstacles(obstacles) {
      this._obstacles = obstacles;
    },

    /** Read font and colours from the style sheet anew. */
    setTheme() {
      const style = getComputedStyle(document.documentElement);
      const value = (name) => style.getPropertyValue(`--${name}`).trim();
      this._colours = Object.fromEntries(COLOURS.map((name) => [name, value(name)]));
      this._font = value('font');
      this.redraw();
    },

    /** Draw again if the window is another than that which was drawn for. */
    refresh() {
      if (this._map?._loaded) this._update();
    },

    redraw() {
      this._state = null;
      this.refresh();
    },

    getEvents() {
      const events = L.Renderer.prototype.getEvents.call(this);
      events.move = this._onMove;
      return events;
    },

    _initContainer() {
      this._container = document.createElement('canvas');
      this._ctx = this._container.getContext('2d');
    },

    _destroyContainer() {
      L.Util.cancelAnimFrame(this._frame);
      this._container.remove();
      delete this._container;
      delete this._ctx;
    },

    /** Whether what is drawn still fills the window, sharp enough. */
    _covers(slack) {
      const map = this._map;
      const scale = map.getZoomScale(map.getZoom(), this._zoom);
      if (scale > slack || scale < 1 / slack) return false;
      const { min, max } = map.getPixelBounds();
      return this._drawn.contains(L.bounds(min.divideBy(scale), max.divideBy(scale)));
    },

    /** While the map flies or is dragged beyond what is drawn, draw again, at most once a frame. */
    _onMove() {
      if (this._frame || !this._drawn || this._covers(1.5)) return;
      this._frame = L.Util.requestAnimFrame(() => {
        this._frame = null;
        if (this._map) this._update();
      });
    },

    /** Leaflet's own would leave the canvas between two pixels, and every letter blurred. */
    _reset() {
      this._update();
    },

    _update() {
      const map = this._map;
      if (!map || (map._animatingZoom && this._bounds)) return;
      const ratio = window.devicePixelRatio || 1;
      const size = map.getSize();
      // Leaflet announces one move by several events, and a short drag shows nothing that is not drawn already.
      const state = [map.getZoom(), ratio, size.x, size.y, map.getPixelOrigin().x, map.getPixelOrigin().y].join();
      if (state === this._state && this._covers(1)) {
        L.DomUtil.setPosition(this._container, this._bounds.min);
        return;
      }
      this._state = state;

      L.Renderer.prototype._update.call(this);
      const { min } = this._bounds;
      const extent = this._bounds.getSize();
      const canvas = this._container;
      L.DomUtil.setPosition(canvas, min);
      const [width, height] = [Math.round(extent.x * ratio), Math.round(extent.y * ratio)];
      if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
        canvas.style.width = `${extent.x}px`;
        canvas.style.height = `${extent.y}px`;
      }
      const origin = map.getPixelOrigin().add(min);
      this._drawn = L.bounds(origin, origin.add(extent));
      this._ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
      this._draw(this._ctx, new View(map.getZoom(), origin, extent));
    },

    _draw(ctx, view) {
      const { _city: city, _colours: colours } = this;
      ctx.lineJoin = 'round';
      ctx.lineCap = 'round';
      ctx.fillStyle = colours.water;
      ctx.fillRect(0, 0, view.width, view.height);
      if (city) this._drawLand(ctx, view);
      // Light without streets would look like a mistake for the moment until the city is there.
      const glow = this._coverage && city !== undefined ? Glow.make(this._coverage, view, colours) : null;
      // Some of the light lies under the streets and some on them, so that they stay to be seen in it.
      this._layGlow(ctx, glow, Number(colours['glow-under']));
      if (city) this._drawLines(ctx, view);
      this._layGlow(ctx, glow, Number(colours['glow-over']));
      if (city) new Names.Writer(ctx, view, colours, this._font).write(city, this._obstaclesOnCanvas());
    },

    _obstaclesOnCanvas() {
      const { x, y } = this._map.layerPointToContainerPoint(this._bounds.min);
      const air = 6;
      return this._obstacles().map(([x0, y0, x1, y1]) => [x0 - x - air, y0 - y - air, x1 - x + air, y1 - y + air]);
    },

    _layGlow(ctx, glow, opacity) {
      if (!glow) return;
      ctx.save();
      ctx.globalAlpha = opacity;
      ctx.globalCompositeOperation = this._colours['glow-blend'];
      ctx.imageSmoothingQuality = 'high';
      ctx.drawImage(glow.sheet, 0, 0, glow.width, glow.height);
      ctx.restore();
    },

    /** A path of features; points nearer than half a pixel to the last one are left out. */
    _path(features, view, closed, margin = 60) {
      const path = new Path2D();
      for (const { lines, box } of features) {
        if (!view.sees(box, margin)) continue;
        for (const { xy, box: lineBox } of lines) {
          if (!view.sees(lineBox, margin)) continue;
          let px = NaN;
          let py = NaN;
          for (let i = 0; i < xy.length; i += 2) {
            const x = view.x(xy[i]);
            const y = view.y(xy[i + 1]);
            if (i === 0) path.moveTo(x, y);
            else if (Math.abs(x - px) + Math.abs(y - py) < 0.5 && i < xy.length - 2) continue;
            else path.lineTo(x, y);
            px = x;
            py = y;
          }
          if (closed) path.closePath();
        }
      }
      return path;
    },

    _drawLand(ctx, view) {
      const { _city: city, _colours: colours } = this;
      const { zoom } = view;

      // Shallows along the coast as in an engraved chart: steps of tone, each with a thin line at its edge.
      const land = this._path(city.land, view, true, 90);
      const shores = this._path(city.shores, view, true, 90);
      const coast = new Path2D(shores);
      coast.addPath(land);
      this._land = land;
      this._coast = coast;
      const reach = ramp(zoom, [[9, 0.35], [12, 1], [16, 1.7]]);
      for (const [distance, tone, line] of [[26, 0.2, 0.22], [17, 0.4, 0.36], [10, 0.65, 0.55], [4.5, 1, 0.8]]) {
        const wide = 2 * distance * reach;
        ctx.lineWidth = wide;
        ctx.strokeStyle = blend(colours.water, colours.waterline, line);
        ctx.stroke(coast);
        ctx.lineWidth = wide - 1.4;
        ctx.strokeStyle = blend(colours.water, colours.shallow, tone);
        ctx.stroke(coast);
      }
      ctx.fillStyle = colours.shore;
      ctx.fill(shores, 'evenodd');
      ctx.fillStyle = colours.land;
      ctx.fill(land, 'evenodd');

      ctx.save();
      ctx.clip(land, 'evenodd');
      ctx.lineWidth = 1;
      const parks = this._path(city.parks, view, true, 8);
      ctx.fillStyle = colours.park;
      ctx.fill(parks, 'evenodd');
      ctx.strokeStyle = colours['park-edge'];
      ctx.stroke(parks);
      const ponds = this._path(city.ponds, view, true, 8);
      ctx.fillStyle = colours.shallow;
      ctx.fill(ponds, 'evenodd');
      ctx.strokeStyle = colours.waterline;
      ctx.stroke(ponds);
      ctx.restore();
    },

    _drawLines(ctx, view) {
      const { _city: city, _colours: colours } = this;
      const { zoom } = view;
      ctx.save();
      ctx.clip(this._land, 'evenodd');
      this._drawStreets(ctx, view);
      const strength = ramp(zoom, [[10.6, 0], [11.6, 0.7], [15, 0.6], [17.5, 0.35]]);
      if (strength > 0) {
        ctx.globalAlpha = strength;
        ctx.lineWidth = ramp(zoom, [[11, 0.7], [15, 1.2]]);
        ctx.lineCap = 'butt';
        ctx.setLineDash(zoom < 12.5 ? [1.5, 2.5] : [1.5, 3.5, 6, 3.5]);
        ctx.strokeStyle = colours.border;
        ctx.stroke(this._path(city.neighbourhoods, view, true, 8));
      }
      ctx.restore();
      ctx.lineWidth = ramp(zoom, [[10, 0.6], [14, 1], [17, 1.5]]);
      ctx.strokeStyle = colours.coast;
      ctx.stroke(this._coast);
      this._drawBridges(ctx, view);
      if (city.fade) this._fadeOut(ctx, view, city.fade);
    },

    /** Let the shores across the water dissolve towards the edges of the sheet, where nothing is known of them. */
    _fadeOut(ctx, view, { inner, outer }) {
      const clear = `${this._colours.water}00`;
      const sides = [
        [view.x(inner[0]), view.x(outer[0]), -1, true], [view.x(inner[2]), view.x(outer[2]), 1, true],
        [view.y(inner[1]), view.y(outer[1]), -1, false], [view.y(inner[3]), view.y(outer[3]), 1, false],
      ];
      for (const [from, to, direction, isAcross] of sides) {
        const extent = isAcross ? view.width : view.height;
        const visible = direction > 0 ? from < extent : from > 0;
        if (!visible || (to - from) * direction <= 0) continue;
        const light = isAcross ? ctx.createLinearGradient(from, 0, to, 0) : ctx.createLinearGradient(0, from, 0, to);
        light.addColorStop(0, clear);
        light.addColorStop(0.9, this._colours.water);
        ctx.fillStyle = light;
        const start = direction > 0 ? from : 0;
        const length = direction > 0 ? extent - from : from;
        if (isAcross) ctx.fillRect(start, 0, length, view.height);
        else ctx.fillRect(0, start, view.width, length);
      }
    },

    _drawBridges(ctx, view) {
      const { _city: city, _colours: colours } = this;
      const opacity = ramp(view.zoom, [[11.4, 0], [12.2, 1]]);
      if (!opacity) return;
      const width = ramp(view.zoom, [[12, 1], [14, 2.2], [15, 3.6], [16, 6], [17, 10], [19, 34]]);
      const bridges = this._path(city.bridges, view, false);
      ctx.save();
      ctx.lineCap = 'butt';
      ctx.globalAlpha = opacity;
      for (const [wide, colour] of [[width + 1.8, colours.coast], [width, colours.avenue]]) {
        ctx.lineWidth = wide;
        ctx.strokeStyle = colour;
        ctx.stroke(bridges);
      }
      ctx.restore();
    },

    _drawStreets(ctx, view) {
      const { _city: city, _colours: colours } = this;
      const { zoom } = view;
      const levels = [0, 1, 2]
        .map((rank) => ({
          rank, width: ramp(zoom, STREET_WIDTHS[rank]), opacity: ramp(zoom, STREET_OPACITIES[rank]),
        }))
        .filter(({ opacity }) => opacity > 0);
      for (const level of levels) {
        level.path = this._path(city.streets.filter(({ rank }) => rank === level.rank), view, false);
      }
      // All edges first, all roadways after: crossings stay open.
      if (zoom >= 13.2) {
        for (const { rank, width, opacity, path } of levels) {
          ctx.globalAlpha = opacity * ramp(zoom, [[13.2, 0], [14.2, 1]]);
          ctx.lineWidth = width + ramp(zoom, [[13, 1], [16, 1.8]]);
          ctx.strokeStyle = rank === 2 ? colours['avenue-edge'] : colours['street-edge'];
          ctx.stroke(path);
        }
      }
      // From far away a street is a thin line on the paper; near by it becomes a roadway between two edges.
      const light = ramp(zoom, [[13.2, 0], [14.6, 1]]);
      for (const { rank, width, opacity, path } of levels) {
        const name = rank === 2 ? 'avenue' : 'street';
        ctx.globalAlpha = opacity;
        ctx.lineWidth = width;
        ctx.strokeStyle = blend(colours[`${name}-far`], colours[name], light);
        ctx.stroke(path);
      }
      ctx.globalAlpha = 1;
    },
  });

  return { CityLayer };
})();

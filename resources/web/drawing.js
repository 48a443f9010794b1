// Drawing on the map: polygons, rectangles and lines, and the corners of a region that is there already.
'use strict';

const Drawing = (() => {
  const { cross } = Geometry;
  const { html } = Marks;
  const NEAR = 10; // pixels within which a click means a corner that is there
  const SAME = 4; // pixels within which a second click is the same corner
  const HANDLE_ROOM = 13; // least distance of two handles, pixels
  const MIDPOINT_ROOM = 34; // least length of an edge that can be bent, pixels
  const MOST_CORNERS = 2000;
  const ECHO = 400; // milliseconds after the end in which the second half of a double click is nobody's
  const LEAST = { polygon: 3, rectangle: 4, line: 2 };

  const metres = (length) => {
    if (length < 1000) return `${Math.round(length)}\u00a0m`;
    return `${(length / 1000).toFixed(length < 10000 ? 2 : 1)}\u00a0km`;
  };
  const squareMetres = (area) => {
    if (area < 100000) return `${Math.round(area / 100) * 100 || Math.round(area)}\u00a0m²`;
    return `${(area / 1e6).toFixed(area < 1e7 ? 2 : 1)}\u00a0km²`;
  };

  /** Ground area of a ring of latitudes and longitudes in square metres; exact enough for a city. */
  function groundArea(points) {
    if (points.length < 3) return 0;
    const metresOfLat = 111320;
    const metresOfLon = metresOfLat * Math.cos((points[0].lat * Math.PI) / 180);
    const twice = points.reduce((sum, { lat, lng }, i) => {
      const before = points[(i + points.length - 1) % points.length];
      const [x, y] = [lng - points[0].lng, lat - points[0].lat];
      const [bx, by] = [before.lng - points[0].lng, before.lat - points[0].lat];
      return sum + bx * y - x * by;
    }, 0);
    return (Math.abs(twice) / 2) * metresOfLat * metresOfLon;
  }

  const groundLength = (points) => points.slice(1).reduce((sum, point, i) => sum + points[i].distanceTo(point), 0);
  const pairs = (points) => points.map((point) => {
    const { lat, lng } = point.wrap();
    return [lat, lng];
  });
  const copy = (polygons) => polygons.map((rings) => rings.map((ring) => ring.map(([lat, lon]) => [lat, lon])));

  /**
   * What the person draws.
   *
   * `say.drawn(kind, points)`, `say.edited(id, polygons)` and `say.toolEnded()` tell how it ends, `say.drafted(kind,
   * shape)` what there is so far; `changed()` is called when the hint may be another.
   */
  class Drawer {
    constructor(map, say, tip, changed) {
      this.map = map;
      this.say = say;
      this.tip = tip;
      this.changed = changed;
      this.mode = '';
      this.points = [];
      this.pointer = null; // where the pointer stands, container pixels
      this.handles = [];
      this.quietUntil = 0;
      map.createPane('draft').style.zIndex = 560;
      map.createPane('handles').style.zIndex = 650;
      const options = { renderer: L.svg({ pane: 'draft', padding: 0.3 }), pane: 'draft', interactive: false };
      this.area = L.polygon([], { ...options, className: 'draft-area' });
      this.casing = L.polyline([], { ...options, className: 'draft-casing' });
      this.line = L.polyline([], { ...options, className: 'draft-line' });
      this.rubber = L.polyline([], { ...options, className: 'draft-rubber' });
      this.corners = L.layerGroup();
      this.cornerOptions = options;
      map.on('mousemove', ({ containerPoint }) => this._follow(containerPoint));
      map.on('mouseout', () => this._follow(null));
      map.on('dragstart zoomstart', () => tip.hide());
      map.on('move', () => this.isActive && !this.isEditing && this._drawRubber());
      map.on('moveend', () => this.isEditing && !this.dragged && this._makeHandles());
      map.on('dblclick', () => this._onDoubleClick());
      map.getContainer().addEventListener('pointerdown', (event) => this._onPress(event), true);
      window.addEventListener('keydown', (event) => this._onKey(event), true);
    }

    get isActive() {
      return this.mode !== '';
    }

    get isEditing() {
      return this.mode === 'edit';
    }

    /** Whether a click belongs to a drawing: one that goes on, or one that just ended. */
    takesClicks() {
      return this.isActive || this.swallows || performance.now() < this.quietUntil;
    }

    /** Begin with a tool, or go on with what was drawn before the page was loaded anew. */
    start(mode, draft) {
      this.stop();
      this.mode = mode;
      this.points = (draft ?? []).map(([lat, lon]) => L.latLng(lat, lon));
      if (mode === 'rectangle') this.map.dragging.disable();
      this._show();
    }

    /** Begin to edit a region's polygons. */
    edit(id, polygons, draft) {
      this.stop();
      this.mode = 'edit';
      this.id = id;
      this.original = copy(polygons);
      this.polygons = copy(draft ?? polygons);
      this.history = draft ? [copy(polygons)] : [];
      this._show();
      this._makeHandles();
    }

    _show() {
      this.swallows = false;
      this.map.getContainer().classList.add('drawing');
      for (const layer of [this.area, this.casing, this.line, this.rubber, this.corners]) layer.addTo(this.map);
      this.map.getContainer().focus({ preventScroll: true });
      this._draw();
    }

    /** Put the tool away and say nothing. */
    stop() {
      if (!this.isActive) return;
      this.mode = '';
      this.points = [];
      this.press = null;
      this.dragged = null;
      this.trouble = '';
      this._clearHandles();
      this.corners.clearLayers();
      for (const layer of [this.area, this.casing, this.line, this.rubber, this.corners]) layer.remove();
      this.map.getContainer().classList.remove('drawing', 'closing', 'by-keys');
      this.map.dragging.enable();
      this.tip.hide();
      this.quietUntil = performance.now() + ECHO;
      this.changed();
    }

    /** End with nothing. */
    cancel() {
      this.stop();
      this.say.toolEnded();
    }

    /** Take what is there, if it is enough. */
    finish() {
      const { mode, points, id, polygons } = this;
      if (this.isEditing) {
        const hasChanged = JSON.stringify(polygons) !== JSON.stringify(this.original);
        this.stop();
        if (hasChanged) this.say.edited(id, polygons);
        else this.say.toolEnded();
      } else if (points.length < LEAST[mode]) {
        this.trouble = {
          polygon: 'An area takes at least three corners', line: 'A line takes at least two points',
          rectangle: 'A rectangle takes two corners',
        }[mode];
        this.changed();
      } else {
        this.stop();
        this.say.drawn(mode, pairs(points));
      }
    }

    /** Take the last corner or change back. */
    undo() {
      if (this.isEditing) {
        if (!this.history.length) return;
        this.polygons = this.history.pop();
        this._afterEdit();
      } else if (this.points.length) {
        this.points.pop();
        this._afterPoint();
      }
    }

    /** The line of text that says what can be done next. */
    get hint() {
      const { mode, points } = this;
      if (this.trouble) return this.trouble;
      if (mode === 'edit') {
        return 'Drag a corner, or a small dot to add one · double click removes one · Enter keeps it, Esc does not';
      }
      if (mode === 'rectangle') {
        if (points.length) return 'Click the opposite corner · Esc ends';
        return 'Drag a rectangle, or click two opposite corners · Esc ends';
      }
      if (mode === 'line') {
        if (!points.length) return 'Click where the line begins · Esc ends';
        if (points.length < 2) return 'Click the next point · Backspace takes it back';
        return `${metres(groundLength(points))} · double click or Enter ends the line`;
      }
      if (!points.length) return 'Click the first corner · Esc ends';
      if (points.length < 3) return 'Click the next corner · Backspace takes one back';
      if (this._crosses([...points, points[0]])) return 'The outline crosses itself; it will be mended · Enter closes it';
      return `${squareMetres(groundArea(points))} · double click, Enter or the first corner closes it`;
    }

    // What the person does

    /** A click on the map. */
    click(latlng) {
      if (this.swallows) {
        this.swallows = false;
        return;
      }
      if (!this.isActive) return;
      if (this.isEditing) {
        if (!this.area.getBounds().pad(0.02).contains(latlng)) this.finish();
        return;
      }
      if (this.mode === 'rectangle') {
        if (!this.points.length) {
          this.points = [latlng];
          this._afterPoint();
        } else this._finishRectangle(this.points[0], latlng);
        return;
      }
      if (this._isOnFirst(latlng)) {
        this.finish();
        return;
      }
      const last = this.points[this.points.length - 1];
      if (last && this._pixels(last).distanceTo(this._pixels(latlng)) <= SAME) return;
      if (this.points.length >= MOST_CORNERS) return;
      this.points.push(latlng);
      this._afterPoint();
    }

    _onDoubleClick() {
      if (this.isActive && !this.isEditing && this.mode !== 'rectangle' && this.points.length > 1) this.finish();
    }

    _onPress(event) {
      this.swallows = false;
      if (this.mode !== 'rectangle' || event.button !== 0 || event.target.closest('button')) return;
      const stage = this.map.getContainer();
      const from = this.map.mouseEventToContainerPoint(event);
      const corner = this.points[0] ?? this.map.containerPointToLatLng(from);
      stage.setPointerCapture(event.pointerId);
      const follow = (move) => {
        const to = this.map.mouseEventToContainerPoint(move);
        if (!this.press && from.distanceTo(to) < 5) return;
        this.press = corner;
        this._follow(to);
      };
      const stop = (up) => {
        stage.removeEventListener('pointermove', follow);
        stage.removeEventListener('pointerup', stop);
        stage.removeEventListener('pointercancel', stop);
        const { press } = this;
        this.press = null;
        if (!press || this.mode !== 'rectangle') return;
        this.swallows = true; // the click that follows
        if (up.type === 'pointerup') {
          this._finishRectangle(press, this.map.containerPointToLatLng(this.map.mouseEventToContainerPoint(up)));
        } else this._drawRubber();
      };
      stage.addEventListener('pointermove', follow);
      stage.addEventListener('pointerup', stop);
      stage.addEventListener('pointercancel', stop);
    }

    _finishRectangle(one, other) {
      const size = this._pixels(one).subtract(this._pixels(other));
      if (Math.abs(size.x) < SAME || Math.abs(size.y) < SAME) {
        this._drawRubber();
        return; // not an area; a double click lands here too
      }
      this.points = this._rectangle(one, other);
      this.finish();
    }

    _rectangle(one, other) {
      return [
        L.latLng(one.lat, one.lng), L.latLng(one.lat, other.lng), L.latLng(other.lat, other.lng), L.latLng(other.lat, one.lng),
      ];
    }

    _onKey(event) {
      if (!this.isActive) return;
      this.map.getContainer().classList.add('by-keys'); // shows the middle, where Space puts a corner
      const isUndo = event.key.toLowerCase() === 'z' && (event.ctrlKey || event.metaKey) && !event.shiftKey;
      const isOnButton = event.target.closest?.('button, a');
      const isOnMap = event.target === this.map.getContainer();
      if (event.key === 'Escape') this.cancel();
      else if (isUndo) this.undo();
      else if (isOnButton) return; // Enter and Space press it
      else if (event.key === 'Enter') this.finish();
      else if (event.key === 'Backspace' && !event.target.closest?.('.corner')) this.undo();
      else if (event.key === ' ' && isOnMap && !this.isEditing) this.click(this.map.getCenter());
      else return;
      event.preventDefault();
      event.stopPropagation();
    }

    _follow(containerPoint) {
      this.map.getContainer().classList.remove('by-keys');
      this.pointer = containerPoint;
      if (this.isActive && !this.isEditing) this._drawRubber();
    }

    // What is seen of it

    _pixels(latlng) {
      return this.map.latLngToContainerPoint(latlng);
    }

    _isOnFirst(latlng) {
      return this.mode === 'polygon' && this.points.length >= LEAST.polygon
        && this._pixels(latlng).distanceTo(this._pixels(this.points[0])) <= NEAR;
    }

    /** Whether a line of points crosses itself. */
    _crosses(points) {
      const flat = points.map((point) => {
        const { x, y } = this.map.project(point, 18);
        return [x, y];
      });
      for (let i = 1; i < flat.length; i += 1) {
        for (let j = 1; j < i - 1; j += 1) if (cross(flat[i - 1], flat[i], flat[j - 1], flat[j])) return true;
      }
      return false;
    }

    _afterPoint() {
      this.trouble = '';
      this.say.drafted(this.mode, pairs(this.points));
      this._draw();
    }

    _draw() {
      if (this.isEditing) {
        this.area.setLatLngs(this.polygons);
        this.casing.setLatLngs(this.polygons.flat().map((ring) => [...ring, ring[0]]));
        this.line.setLatLngs(this.polygons.flat().map((ring) => [...ring, ring[0]]));
        this.rubber.setLatLngs([]);
        this.corners.clearLayers();
      } else {
        this.casing.setLatLngs(this.points);
        this.line.setLatLngs(this.points);
        this.corners.clearLayers();
        this.points.forEach((point, i) => {
          const className = i === 0 && this.mode === 'polygon' ? 'draft-corner first' : 'draft-corner';
          this.corners.addLayer(L.circleMarker(point, { ...this.cornerOptions, radius: i ? 4 : 5, className }));
        });
        this._drawRubber();
      }
      this.changed();
    }

    /** What follows the pointer: the edge that a click would add, or the rectangle. */
    _drawRubber() {
      const { mode, points } = this;
      const at = this.pointer ? this.map.containerPointToLatLng(this.pointer) : null;
      const closes = at !== null && this._isOnFirst(at);
      this.map.getContainer().classList.toggle('closing', closes);
      if (mode === 'rectangle') {
        const from = this.press ?? points[0];
        const corners = from && at ? this._rectangle(from, at) : [];
        this.area.setLatLngs(corners);
        this.casing.setLatLngs(corners.length ? [...corners, corners[0]] : []);
        this.line.setLatLngs(corners.length ? [...corners, corners[0]] : []);
        this.rubber.setLatLngs([]);
        if (corners.length) {
          const [a, b, , d] = corners;
          this.tip.show(this.pointer, `${metres(a.distanceTo(b))} × ${metres(a.distanceTo(d))}`);
        } else this.tip.hide();
        return;
      }
      const ahead = at && !closes ? [...points, at] : points;
      const last = points[points.length - 1];
      this.area.setLatLngs(mode === 'polygon' && ahead.length > 2 ? ahead : []);
      if (!last || !at) {
        this.rubber.setLatLngs([]);
        this.tip.hide();
        return;
      }
      this.rubber.setLatLngs(mode === 'polygon' && ahead.length > 2 ? [last, closes ? points[0] : at, points[0]] : [last, at]);
      // Looked at only while it is quick; the hint says it in any case.
      const isCrossing = mode === 'polygon' && points.length < 300 && this._crosses(ahead);
      this.rubber.getElement()?.classList.toggle('crossing', isCrossing);
      if (closes) this.tip.show(this.pointer, 'Close the area');
      else this.tip.show(this.pointer, metres(last.distanceTo(at)));
    }

    // Corners of a region that is there already

    _clearHandles() {
      this.handles.forEach((handle) => handle.remove());
      this.handles = [];
    }

    _remember() {
      this.trouble = '';
      this.history.push(copy(this.polygons));
      if (this.history.length > 200) this.history.shift();
    }

    _afterEdit() {
      this.nudged = null;
      this.say.drafted('edit', this.polygons);
      this._draw();
      this._makeHandles();
    }

    /** Handles for the corners in sight that have room, and smaller ones between them. */
    _makeHandles() {
      this._clearHandles();
      const { x: width, y: height } = this.map.getSize();
      const isInSight = ({ x, y }) => x > -20 && y > -20 && x < width + 20 && y < height + 20;
      this.polygons.forEach((rings, p) => rings.forEach((ring, r) => {
        const spots = ring.map((point) => this._pixels(point));
        let last = null;
        spots.forEach((spot, i) => {
          if (!isInSight(spot) || (last && spot.distanceTo(last) < HANDLE_ROOM)) return;
          last = spot;
          this._addCorner(ring, p, r, i);
        });
        spots.forEach((spot, i) => {
          const next = spots[(i + 1) % spots.length];
          const middle = spot.add(next).divideBy(2);
          if (isInSight(middle) && spot.distanceTo(next) >= MIDPOINT_ROOM) this._addMidpoint(ring, p, r, i, middle);
        });
      }));
    }

    _handle(latlng, className) {
      const handle = L.marker(latlng, {
        icon: L.divIcon({
          className: `corner ${className}`, html: html('span', 'corner-dot'), iconSize: [22, 22], iconAnchor: [11, 11],
        }),
        pane: 'handles', draggable: true, keyboard: false, bubblingMouseEvents: false,
      });
      handle.addTo(this.map);
      this.handles.push(handle);
      return handle;
    }

    _follows(handle, ring, index) {
      handle.on('drag', () => {
        const { lat, lng } = handle.getLatLng().wrap();
        ring()[index] = [lat, lng];
        this._draw();
      });
      handle.on('dragend', () => {
        this.dragged = null;
        this._afterEdit();
      });
    }

    _addCorner(ring, p, r, i) {
      const handle = this._handle(ring[i], 'at-corner');
      handle.on('dragstart', () => {
        this.dragged = handle;
        this._remember();
      });
      this._follows(handle, () => this.polygons[p][r], i);
      handle.on('dblclick contextmenu', () => this._removeCorner(p, r, i));
      const element = handle.getElement();
      element.tabIndex = 0;
      element.setAttribute('role', 'button');
      element.setAttribute('aria-label', `Corner ${i + 1} of ${ring.length}. Arrow keys move it, Delete removes it.`);
      element.dataset.corner = `${p} ${r} ${i}`;
      element.addEventListener('keydown', (event) => this._onCornerKey(event, handle, p, r, i));
    }

    _addMidpoint(ring, p, r, i, middle) {
      const handle = this._handle(this.map.containerPointToLatLng(middle), 'at-middle');
      handle.on('dragstart', () => {
        this.dragged = handle;
        this._remember();
        const { lat, lng } = handle.getLatLng().wrap();
        this.polygons[p][r].splice(i + 1, 0, [lat, lng]);
      });
      this._follows(handle, () => this.polygons[p][r], i + 1);
    }

    _removeCorner(p, r, i) {
      const rings = this.polygons[p];
      if (rings[r].length > 3) {
        this._remember();
        rings[r].splice(i, 1);
      } else if (r > 0) { // a hole that is no longer an area is gone
        this._remember();
        rings.splice(r, 1);
      } else {
        this.trouble = 'An area takes at least three corners';
        this.changed();
        return;
      }
      this._afterEdit();
    }

    _onCornerKey(event, handle, p, r, i) {
      const steps = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
      if (event.key in steps) {
        const far = event.shiftKey ? 20 : 4;
        const spot = this._pixels(handle.getLatLng()).add(L.point(steps[event.key]).multiplyBy(far));
        const latlng = this.map.containerPointToLatLng(spot).wrap();
        if (this.nudged !== handle) this._remember(); // one step of undo for one corner
        this.nudged = handle;
        handle.setLatLng(latlng);
        this.polygons[p][r][i] = [latlng.lat, latlng.lng];
        this._draw();
        this.say.drafted('edit', this.polygons);
      } else if (event.key === 'Delete' || event.key === 'Backspace') {
        this._removeCorner(p, r, i);
        const next = this.handles.find((other) => other.getElement().dataset.corner?.startsWith(`${p} ${r} `));
        (next?.getElement() ?? this.map.getContainer()).focus({ preventScroll: true });
      } else return;
      event.preventDefault();
      event.stopPropagation();
    }
  }

  return { Drawer };
})();

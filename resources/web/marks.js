// What stands on the map: the pin with its dial, the example places, the dots of results.
'use strict';

const Marks = (() => {
  const SVG = 'http://www.w3.org/2000/svg';
  const RING = 48; // radius of the dial, pixels
  const REACH = 86; // how far the cone of view shows, pixels
  const HALF_VIEW = 30; // half the angle of the cone, degrees
  const COMPASS = ['N', 'NE', 'E', 'SE', 'S', 'SW', 'W', 'NW']; // the same eight that the window's panel names
  const POINTS = ['north', 'north-east', 'east', 'south-east', 'south', 'south-west', 'west', 'north-west'];

  function svg(name, attributes = {}, children = []) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  function html(name, className, text = '') {
    const element = document.createElement(name);
    element.className = className;
    element.textContent = text;
    return element;
  }

  const turn = (degrees) => ((degrees % 360) + 360) % 360;
  const point = (degrees) => Math.round(turn(degrees) / 45) % 8;

  /** Degrees clockwise from north of a step in screen pixels (y down). */
  const bearingOf = (dx, dy) => turn((Math.atan2(dx, -dy) * 180) / Math.PI);

  /** The end of a ray of some length from the centre, in screen pixels. */
  function ray(degrees, length) {
    const radians = (degrees * Math.PI) / 180;
    return [Math.sin(radians) * length, -Math.cos(radians) * length];
  }

  /** Metres that an arrow key moves the pin: about four pixels, at least half a metre. */
  function nudge(map) {
    const metresPerPixel = (40075016.686 * Math.cos((map.getCenter().lat * Math.PI) / 180)) / (256 * 2 ** map.getZoom());
    return Math.max(0.5, 4 * metresPerPixel);
  }

  /**
   * The pin and the dial around it.
   *
   * `say.picked(lat, lon)` and `say.heading(degrees | null)` tell what the person did; `show` sets what the program
   * wants and says nothing.
   */
  class Pin {
    constructor(map, say) {
      this.map = map;
      this.say = say;
      this.heading = null;
      this.busy = false;
      this._build();
      this.marker = L.marker([0, 0], {
        icon: L.divIcon({ className: 'pin', html: this.root, iconSize: [0, 0], iconAnchor: [0, 0] }),
        draggable: true,
        keyboard: false,
        autoPan: true,
        autoPanPadding: [60, 60],
        zIndexOffset: 1000,
      });
      this.marker.on('dragstart', () => {
        this.busy = true;
      });
      this.marker.on('dragend', () => {
        this.busy = false;
        this._sayPlace();
      });
      this.marker.on('add', () => this._listen());
    }

    get isShown() {
      return this.map.hasLayer(this.marker);
    }

    get latlng() {
      return this.marker.getLatLng();
    }

    /** Show the pin at a place; null takes it away. While the person drags, the person is right. */
    show(place) {
      if (this.busy) return;
      if (!place) {
        this.marker.remove();
        this.setHeading(null);
        return;
      }
      const moved = !this.isShown || this.latlng.distanceTo([place.lat, place.lon]) > 0.05;
      this.marker.setLatLng([place.lat, place.lon]);
      if (!this.isShown) this.marker.addTo(this.map);
      this.setHeading(place.heading);
      if (moved) this._drop();
    }

    /** The person put the pin somewhere. */
    pick(latlng) {
      this.show({ lat: latlng.lat, lon: latlng.lng, heading: this.heading });
      this._sayPlace();
    }

    setHeading(degrees) {
      this.heading = degrees === null || degrees === undefined ? null : turn(degrees);
      const known = this.heading !== null;
      const angle = known ? this.heading : 0;
      this.root.classList.toggle('no-heading', !known);
      this.root.classList.toggle('looks-north', angle < 24 || angle > 336);
      const [x, y] = ray(angle, RING);
      this.handle.setAttribute('transform', `translate(${x} ${y}) rotate(${angle})`);
      this.cone.setAttribute('transform', `rotate(${angle})`);
      // Text is wider than high: beside the dial it must keep more distance from the handle than above and below.
      const [tx, ty] = ray(angle, RING + 25 + 14 * Math.abs(Math.sin((angle * Math.PI) / 180)));
      this.bearing.setAttribute('x', tx);
      this.bearing.setAttribute('y', ty);
      this.bearing.textContent = known ? `${Math.round(angle) % 360}° ${COMPASS[point(angle)]}` : 'any direction';
      this.handle.setAttribute('aria-valuenow', Math.round(angle) % 360);
      this.handle.setAttribute(
        'aria-valuetext',
        known ? `${Math.round(angle) % 360} degrees, ${POINTS[point(angle)]}` : 'any direction',
      );
    }

    /** Turn the view by hand and say so. */
    turnTo(degrees) {
      this.setHeading(degrees);
      this.say.heading(this.heading);
    }

    /** Whether a point in container pixels lies within the dial. */
    covers(containerPoint) {
      return this.isShown && this.map.latLngToContainerPoint(this.latlng).distanceTo(containerPoint) <= RING + 12;
    }

    _sayPlace() {
      const { lat, lng } = this.latlng.wrap();
      this.say.picked(lat, lng);
    }

    _build() {
      const gradient = svg('radialGradient', { id: 'cone-light', gradientUnits: 'userSpaceOnUse', cx: 0, cy: 0, r: REACH }, [
        svg('stop', { offset: '0%', class: 'cone-near' }),
        svg('stop', { offset: '100%', class: 'cone-far' }),
      ]);
      // Wedges over one another, so that the light fades to the sides.
      this.cone = svg('g', { class: 'cone' }, [1, 0.86, 0.7, 0.5].map((part) => {
        const [lx, ly] = ray(-HALF_VIEW * part, REACH);
        const [rx, ry] = ray(HALF_VIEW * part, REACH);
        return svg('path', { d: `M0 0L${lx} ${ly}A${REACH} ${REACH} 0 0 1 ${rx} ${ry}Z`, fill: 'url(#cone-light)' });
      }));
      const ticks = [90, 180, 270].map((angle) => {
        const [ax, ay] = ray(angle, RING - 3);
        const [bx, by] = ray(angle, RING + 3);
        return svg('line', { class: 'tick', x1: ax, y1: ay, x2: bx, y2: by });
      });
      const north = svg('text', { class: 'north', x: 0, y: -RING - 6, 'aria-hidden': 'true' });
      north.textContent = 'N';
      this.ring = svg('circle', { class: 'ring-reach', r: RING });
      this.handle = svg('g', {
        class: 'handle', tabindex: 0, role: 'slider', 'aria-label': 'View direction', 'aria-valuemin': 0,
        'aria-valuemax': 359,
      }, [
        svg('circle', { class: 'handle-reach', r: 16 }),
        svg('circle', { class: 'handle-knob', r: 8.5 }),
        svg('path', { class: 'handle-arrow', d: 'M-3.4 1.8L0 -2.4L3.4 1.8' }),
      ]);
      this.bearing = svg('text', { class: 'bearing', 'aria-hidden': 'true' });
      this.body = svg('g', {
        class: 'pin-body', tabindex: 0, role: 'button',
        'aria-label': 'Chosen place. Arrow keys move it, Delete forgets the view direction.',
      }, [
        svg('ellipse', { class: 'pin-shadow', cx: 1.5, cy: 0.5, rx: 5, ry: 2.2 }),
        svg('g', { class: 'pin-drop' }, [
          svg('path', { class: 'pin-shape', d: 'M0 0C-2.5 -8 -11 -12.5 -11 -21.5A11 11 0 0 1 11 -21.5C11 -12.5 2.5 -8 0 0Z' }),
          svg('circle', { class: 'pin-heart', cx: 0, cy: -21.5, r: 4.2 }),
        ]),
        svg('rect', { class: 'pin-reach', x: -14, y: -35, width: 28, height: 38 }),
      ]);
      const dial = svg('g', { class: 'dial' }, [
        this.cone,
        svg('circle', { class: 'ring-halo', r: RING }),
        svg('circle', { class: 'ring', r: RING }),
        ...ticks,
        north,
        this.ring,
        this.handle,
        this.bearing,
      ]);
      this.root = svg('svg', { viewBox: '-90 -90 180 180' }, [svg('defs', {}, [gradient]), dial, this.body]);
      this.setHeading(null);
    }

    _listen() {
      if (this.listening) return;
      this.listening = true;
      for (const target of [this.ring, this.handle]) {
        L.DomEvent.disableClickPropagation(target);
        target.addEventListener('pointerdown', (event) => this._startTurning(event, target));
        target.addEventListener('dblclick', () => this.turnTo(null));
      }
      this.body.addEventListener('dblclick', (event) => {
        event.stopPropagation();
        this.turnTo(null);
      });
      this.handle.addEventListener('keydown', (event) => this._onDialKey(event));
      this.body.addEventListener('keydown', (event) => this._onPinKey(event));
    }

    /** Follow the pointer with the dial until it is let go. */
    _startTurning(event, target) {
      if (event.button !== 0) return;
      event.preventDefault();
      event.stopPropagation();
      target.setPointerCapture(event.pointerId);
      this.handle.focus({ preventScroll: true });
      const start = [event.clientX, event.clientY];
      let turning = target === this.ring;
      const follow = (move) => {
        if (!turning && Math.hypot(move.clientX - start[0], move.clientY - start[1]) < 3) return;
        turning = true;
        this.busy = true;
        this.root.classList.add('turning');
        const box = this.root.getBoundingClientRect();
        const dx = move.clientX - (box.left + box.width / 2);
        const dy = move.clientY - (box.top + box.height / 2);
        const degrees = bearingOf(dx, dy);
        this._turnSoon(move.shiftKey ? Math.round(degrees / 15) * 15 : Math.round(degrees));
      };
      const stop = () => {
        target.removeEventListener('pointermove', follow);
        target.removeEventListener('pointerup', stop);
        target.removeEventListener('pointercancel', stop);
        this._turnNow();
        this.busy = false;
        this.root.classList.remove('turning');
      };
      target.addEventListener('pointermove', follow);
      target.addEventListener('pointerup', stop);
      target.addEventListener('pointercancel', stop);
      if (turning) follow(event);
    }

    /** Turn at the next frame: pointers move more often than frames are drawn. */
    _turnSoon(degrees) {
      this.wanted = degrees;
      this.frame ??= requestAnimationFrame(() => this._turnNow());
    }

    _turnNow() {
      cancelAnimationFrame(this.frame);
      this.frame = null;
      if (this.wanted === undefined) return;
      const wanted = turn(this.wanted);
      this.wanted = undefined;
      if (wanted !== this.heading) this.turnTo(wanted);
    }

    _onDialKey(event) {
      const now = this.heading ?? 0;
      const step = event.shiftKey ? 1 : 5;
      const keys = {
        ArrowRight: now + step, ArrowUp: now + step, ArrowLeft: now - step, ArrowDown: now - step,
        PageUp: now + 45, PageDown: now - 45, Home: 0, Delete: null, Backspace: null,
      };
      if (!(event.key in keys)) return;
      event.preventDefault();
      event.stopPropagation();
      this.turnTo(keys[event.key]);
    }

    _onPinKey(event) {
      const steps = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
      if (event.key in steps) {
        const metres = nudge(this.map) * (event.shiftKey ? 5 : 1);
        const [east, north] = steps[event.key];
        const { lat, lng } = this.latlng;
        const degrees = metres / 111320;
        this.marker.setLatLng([lat + north * degrees, lng + (east * degrees) / Math.cos((lat * Math.PI) / 180)]);
        this._sayPlace();
        if (!this.map.getBounds().pad(-0.05).contains(this.latlng)) this.map.panTo(this.latlng);
      } else if (event.key === 'Delete' || event.key === 'Backspace') this.turnTo(null);
      else return;
      event.preventDefault();
      event.stopPropagation();
    }

    _drop() {
      this.root.classList.remove('dropping');
      this.root.getBoundingClientRect(); // lets the animation start anew
      this.root.classList.add('dropping');
    }
  }

  /** Glowing places to start with, each with a card that finds itself a free side. */
  class Examples {
    constructor(map, say) {
      this.map = map;
      this.say = say;
      this.items = [];
      this.obstacles = () => [];
      map.on('moveend resize', () => this.arrange());
    }

    /** What stands over the map: a function that returns boxes [left, top, right, bottom] in the map's pixels. */
    setObstacles(obstacles) {
      this.obstacles = obstacles;
    }

    show(places) {
      this.items.forEach(({ marker }) => marker.remove());
      this.items = places.map((place, index) => this._make(place, index));
      this.items.forEach(({ marker }) => marker.addTo(this.map));
      this.map.whenReady(() => this.arrange());
    }

    /** Quiet: a small lamp, the card only on hover or focus. */
    setQuiet(quiet) {
      this.items.forEach(({ root }) => root.classList.toggle('quiet', quiet));
      this.quiet = quiet;
    }

    /** Hide the example where the pin stands (null: none): its card would cover the dial. */
    giveWay(latlng) {
      this.items.forEach(({ marker, root }) => {
        root.hidden = latlng !== null && marker.getLatLng().distanceTo(latlng) < 5;
      });
    }

    _make(place, index) {
      const root = html('div', this.quiet ? 'example-body quiet' : 'example-body');
      const lamp = html('button', 'lamp');
      lamp.type = 'button';
      lamp.setAttribute('aria-label', `Example: ${place.name || 'a place'}`);
      const card = html('button', 'card');
      card.type = 'button';
      card.tabIndex = -1;
      card.append(html('b', '', place.name || 'Example'), html('span', '', 'Click to draw it'));
      root.append(lamp, card);
      for (const button of [lamp, card]) {
        L.DomEvent.disableClickPropagation(button);
        button.addEventListener('click', () => this.say.exampleClicked(index));
      }
      const marker = L.marker([place.lat, place.lon], {
        icon: L.divIcon({ className: 'example', html: root, iconSize: [0, 0], iconAnchor: [0, 0] }),
        keyboard: false,
        interactive: false,
        zIndexOffset: 500,
      });
      return { marker, root, card };
    }

    /** Put every card where it covers no lamp, no other card and no control, and stays in the window. */
    arrange() {
      const { x: width, y: height } = this.map.getSize();
      const taken = this.items.map(({ marker }) => {
        const { x, y } = this.map.latLngToContainerPoint(marker.getLatLng());
        return [x - 18, y - 18, x + 18, y + 18];
      });
      const covers = this.obstacles().map(([left, top, right, bottom]) => [left - 8, top - 8, right + 8, bottom + 8]);
      const overlap = (a, b) => Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]))
        * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
      this.boxes = [...taken];
      this.items.forEach(({ marker, card }) => {
        const { x, y } = this.map.latLngToContainerPoint(marker.getLatLng());
        const [w, h] = [card.offsetWidth, card.offsetHeight];
        const choices = [
          [22, -h / 2], [-22 - w, -h / 2], [18, 12], [18, -12 - h], [-18 - w, 12], [-18 - w, -12 - h],
          [-w / 2, 24], [-w / 2, -24 - h],
        ];
        let best = choices[0];
        let least = Infinity;
        choices.forEach(([dx, dy], order) => {
          const box = [x + dx, y + dy, x + dx + w, y + dy + h];
          const outside = Math.max(0, -box[0]) + Math.max(0, -box[1]) + Math.max(0, box[2] - width)
            + Math.max(0, box[3] - height);
          const cost = order + outside * 4 + [...taken, ...covers].reduce((sum, other) => sum + overlap(box, other), 0) * 10;
          if (cost < least) {
            least = cost;
            best = [dx, dy];
          }
        });
        card.style.left = `${best[0]}px`;
        card.style.top = `${best[1]}px`;
        const box = [x + best[0], y + best[1], x + best[0] + w, y + best[1] + h];
        taken.push(box);
        this.boxes.push(box);
      });
    }
  }

  /** A dot of a result: with a short tick for its view direction; the current one stands out. */
  const Dot = L.CircleMarker.extend({
    _updatePath() {
      const ctx = this._renderer._ctx;
      if (!this._renderer._drawing || this._empty()) return;
      const { x, y } = this._point;
      const { current, heading, ink, edge, hovered } = this.options;
      const radius = (current ? 7 : 5) + (hovered ? 1.5 : 0);
      ctx.save();
      if (current) {
        ctx.beginPath();
        ctx.arc(x, y, radius + 6, 0, 2 * Math.PI);
        ctx.globalAlpha = 0.25;
        ctx.fillStyle = ink;
        ctx.fill();
        ctx.globalAlpha = 1;
      }
      ctx.beginPath();
      ctx.arc(x, y, radius, 0, 2 * Math.PI);
      if (heading !== null) { // a beak that shows where the view goes
        const [tipX, tipY] = ray(heading, radius + 7);
        const [leftX, leftY] = ray(heading - 52, radius);
        const [rightX, rightY] = ray(heading + 52, radius);
        ctx.moveTo(x + leftX, y + leftY);
        ctx.lineTo(x + tipX, y + tipY);
        ctx.lineTo(x + rightX, y + rightY);
      }
      ctx.lineJoin = 'round';
      ctx.strokeStyle = edge;
      ctx.lineWidth = 4;
      ctx.stroke();
      ctx.fillStyle = ink;
      ctx.fill();
      ctx.restore();
    },
  });

  class Results {
    constructor(map, say) {
      this.map = map;
      this.say = say;
      this.layer = L.layerGroup().addTo(map);
      this.results = [];
    }

    show(results) {
      this.results = results;
      const style = getComputedStyle(document.documentElement);
      const ink = style.getPropertyValue('--dot').trim();
      const edge = style.getPropertyValue('--dot-edge').trim();
      this.layer.clearLayers();
      const currentLast = [...results].sort((a, b) => Number(a.current) - Number(b.current));
      for (const result of currentLast) {
        if (result.count > 1) {
          this.layer.addLayer(this._heap(result));
          continue;
        }
        const dot = new Dot([result.lat, result.lon], {
          radius: 9, weight: 4, current: result.current, heading: result.heading ?? null, ink, edge,
          bubblingMouseEvents: false,
        });
        const hover = (hovered) => {
          dot.options.hovered = hovered;
          dot.redraw();
        };
        dot.on('click', () => this.say.resultClicked(result.id));
        dot.on('mouseover', () => hover(true));
        dot.on('mouseout', () => hover(false));
        this.layer.addLayer(dot);
      }
    }

    /** One mark with a number for results that lie close together. */
    _heap({ id, lat, lon, count, current }) {
      const root = html('button', current ? 'heap current' : 'heap', count < 1000 ? String(count)
        : `${(count / 1000).toFixed(count < 10000 ? 1 : 0)}k`);
      root.type = 'button';
      root.setAttribute('aria-label', `${count} pictures`);
      const side = Math.round(22 + 6 * Math.min(4, Math.log10(count)));
      root.style.width = root.style.height = `${side}px`;
      root.addEventListener('click', (event) => {
        event.stopPropagation();
        this.say.resultClicked(id);
      });
      for (const kind of ['dblclick', 'mousedown', 'pointerdown']) {
        root.addEventListener(kind, (event) => event.stopPropagation());
      }
      const icon = L.divIcon({ className: 'heap-icon', html: root, iconSize: [0, 0], iconAnchor: [0, 0] });
      return L.marker([lat, lon], { icon, keyboard: false });
    }

    /** Take over the colours of another theme. */
    setTheme() {
      this.show(this.results);
    }
  }

  return { Pin, Examples, Results, bearingOf, svg, html };
})();

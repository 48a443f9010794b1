// Parts of the city: their outlines, and the pictures that stand in them.
'use strict';

const Regions = (() => {
  const { ramp, project, unproject, readLine, union, isWithin, distanceTo, innermost, areaOf } = Geometry;
  const { svg, html } = Marks;
  const REACH = 6; // pixels beside a corridor that still count as on it
  const STEM = 13; // height of a picture above its ground, pixels
  const FRAME = 4; // white edge of a picture, pixels
  const LEADING = 14; // height of a line of the name below a picture
  const SIZES = [[11, 34], [12, 46], [13, 62], [14, 84], [15.5, 112], [17, 132]]; // side of a picture by zoom, pixels
  const SMALLEST = 34;
  const CAPTION_FROM = 50; // side from which the name is written below

  const overlap = (a, b) => Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]))
    * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));

  /** What a person reads about the photos behind a region; empty if nothing is known. */
  function photosText(photos) {
    if (photos === null || photos === undefined) return '';
    if (!photos) return 'No photo from here: a guess';
    return photos === 1 ? '1 photo seen here' : `${photos.toLocaleString('en')} photos seen here`;
  }

  /** A region's shape, measured once, and its paths on the map. */
  class Area {
    constructor(shape) {
      this.id = shape.id;
      this.name = shape.name;
      this.shape = shape;
      this.polygons = shape.polygons.map((rings) => rings.map((ring) => readLine(ring.map(([lat, lon]) => [lon, lat]))));
      this.line = shape.line.length ? readLine(shape.line.map(([lat, lon]) => [lon, lat])) : null;
      this.box = union(this.polygons.map(([outline]) => outline.box));
      this.extent = this.polygons.reduce((sum, [outline]) => sum + areaOf(outline.xy), 0);
      this.centre = shape.centre ?? this._centre();
      this.layers = [];
    }

    _centre() {
      if (shapeIsLine(this.shape)) return middleOf(this.shape.line);
      const largest = this.polygons.reduce((a, b) => (areaOf(b[0].xy) > areaOf(a[0].xy) ? b : a));
      return unproject(innermost(largest));
    }

    /** Whether a point in Mercator pixels of zoom 0 lies in it, or as near as `reach` to its line. */
    has([x, y], reach) {
      const [x0, y0, x1, y1] = this.box;
      if (x < x0 - reach || x > x1 + reach || y < y0 - reach || y > y1 + reach) return false;
      if (this.line && distanceTo([x, y], this.line.xy, false) <= reach) return true;
      return this.polygons.some((rings) => rings.reduce((inside, { xy }) => inside !== isWithin([x, y], xy), false));
    }
  }

  const shapeIsLine = ({ line }) => line.length > 1;

  /** The point half way along a line of [lat, lon]. */
  function middleOf(line) {
    const steps = line.slice(1).map((point, i) => {
      const [[ax, ay], [bx, by]] = [project(line[i][1], line[i][0]), project(point[1], point[0])];
      return Math.hypot(bx - ax, by - ay);
    });
    let left = steps.reduce((a, b) => a + b, 0) / 2;
    for (const [i, step] of steps.entries()) {
      if (left <= step) {
        const t = step ? left / step : 0;
        return [0, 1].map((k) => line[i][k] + t * (line[i + 1][k] - line[i][k]));
      }
      left -= step;
    }
    return line[line.length - 1];
  }

  const ruler = document.createElement('canvas').getContext('2d');

  /** Width of a name below a picture, in pixels. */
  function widthOf(name) {
    ruler.font = `500 11px ${getComputedStyle(document.documentElement).getPropertyValue('--font')}`;
    return ruler.measureText(name).width;
  }

  /** A picture on a stem, with its foot on the ground of its region. */
  class Stand {
    constructor(area, act) {
      this.id = area.id;
      this.picture = html('img', 'print-picture');
      this.picture.draggable = false;
      this.picture.decoding = 'async';
      this.caption = html('span', 'print-name');
      this.caption.dir = 'auto';
      this.print = html('button', 'print');
      this.print.type = 'button';
      this.print.append(this.picture, this.caption);
      this.stem = svg('line', { class: 'stem', x1: 0, y1: 0, x2: 0, y2: -STEM });
      this.ground = svg('svg', { class: 'ground', width: 1, height: 1, 'aria-hidden': 'true' }, [
        svg('ellipse', { class: 'ground-shadow', cx: 0, cy: 0, rx: 9, ry: 3.4 }),
        this.stem,
        svg('circle', { class: 'foot', cx: 0, cy: 0, r: 2.6 }),
      ]);
      this.root = html('div', 'stand-body');
      this.root.dataset.region = area.id;
      this.root.append(this.ground, this.print);
      L.DomEvent.disableClickPropagation(this.print);
      this.print.addEventListener('click', () => act.click(this.id));
      this.print.addEventListener('focus', () => act.hover(this.id));
      this.print.addEventListener('blur', () => act.hover(''));
      this.marker = L.marker(area.centre, {
        icon: L.divIcon({ className: 'stand', html: this.root, iconSize: [0, 0], iconAnchor: [0, 0] }),
        keyboard: false,
        interactive: false,
        zIndexOffset: 300,
      });
      this.picture.addEventListener('error', () => {
        this.root.hidden = true;
      });
      this.picture.addEventListener('load', () => {
        this.root.hidden = false;
      });
    }

    tell(area, item) {
      this.marker.setLatLng(area.centre);
      const name = area.name || 'A region without a name';
      const photos = photosText(item.photos);
      this.caption.textContent = area.name;
      this.picture.alt = '';
      this.print.setAttribute('aria-label', `Average picture of ${name}. ${photos}`);
      this.print.setAttribute('aria-pressed', String(item.selected));
      this.root.classList.toggle('chosen', item.selected);
      this.root.classList.toggle('blind', item.photos === 0);
      if (this.url !== item.picture) {
        this.picture.src = item.picture;
        if (!this.url) this.root.classList.add('rising');
        this.url = item.picture;
      }
    }

    /** Stand at some size, moved aside from its foot; null folds it up to a dot. */
    place(side, box) {
      this.root.classList.toggle('folded', !box);
      this.root.classList.toggle('small', side < CAPTION_FROM);
      const [left, top, right, bottom] = box ?? Stand.boxes(side, this.caption.textContent)[0];
      this.print.style.height = `${bottom - top}px`;
      this.print.style.left = `${left}px`;
      this.print.style.top = `${top}px`;
      this.print.style.width = `${right - left}px`;
      this.picture.style.height = `${side}px`;
      this.stem.setAttribute('x2', Math.min(Math.max(0, left + 10), right - 10));
      this.stem.setAttribute('y2', Math.min(Math.max(0, top + 10), bottom - 2));
    }

    /** Boxes around the foot that a picture of some size may take, best first. */
    static boxes(side, name) {
      const width = side + 2 * FRAME;
      const lines = !name || side < CAPTION_FROM ? 0 : 1 + Number(widthOf(name) > side);
      const height = width + (lines ? lines * LEADING + 2 : 0);
      const aside = width * 0.5;
      return [
        [0, -STEM], [-aside * 0.7, -STEM - 2], [aside * 0.7, -STEM - 2], [-aside * 1.2, -STEM * 0.6],
        [aside * 1.2, -STEM * 0.6], [0, -STEM - height * 0.45], [-aside, -STEM - height * 0.4],
        [aside, -STEM - height * 0.4], [-aside * 1.3, height * 0.5], [aside * 1.3, height * 0.5],
        [0, height + STEM], [-aside * 1.9, -STEM * 0.5], [aside * 1.9, -STEM * 0.5],
      ].map(([x, bottom]) => [x - width / 2, bottom - height, x + width / 2, bottom]);
    }
  }

  /**
   * All regions that are shown.
   *
   * `say.regionClicked(id)` and `say.regionHovered(id)` tell what the person did; `tip` shows a note at the pointer.
   */
  class Layer {
    constructor(map, say, tip) {
      this.map = map;
      this.say = say;
      this.tip = tip;
      this.areas = [];
      this.items = new Map();
      this.stands = new Map();
      this.hovered = '';
      this.highlighted = '';
      this.isQuiet = false;
      this.concealed = '';
      this.placed = [];
      map.createPane('regions').style.zIndex = 300;
      this.renderer = L.svg({ pane: 'regions', padding: 0.3 });
      map.on('zoomend viewreset', () => this.arrange());
      map.on('mousemove', (event) => this._follow(event));
      map.on('mouseout dragstart zoomstart', () => this._hover(''));
    }

    /** Show shapes (with ids, names, polygons, lines) and what is known of each (selected, photos, picture). */
    show(shapes, items) {
      if (shapes !== this.shapes) {
        this.areas.forEach(({ layers }) => layers.forEach((layer) => layer.remove()));
        this.shapes = shapes;
        this.areas = shapes.map((shape) => new Area(shape));
        this.areas.forEach((area) => this._draw(area));
      }
      this.items = new Map(items.map((item) => [item.id, item]));
      this._tell();
      if (this.hovered && !this.items.has(this.hovered)) this._hover('');
    }

    /** The region at a point, the smallest if there are several; null if there is none. */
    at(latlng) {
      const point = project(latlng.lng, latlng.lat);
      const reach = REACH / 2 ** this.map.getZoom();
      const found = this.areas.filter((area) => area.has(point, reach));
      return found.length ? found.reduce((a, b) => (b.extent < a.extent ? b : a)) : null;
    }

    get(id) {
      return this.areas.find((area) => area.id === id) ?? null;
    }

    /** Show a region as if the pointer stood on it. */
    highlight(id) {
      this.highlighted = id;
      this._mark();
    }

    /** While something is drawn the regions stand back and take no clicks; `hidden` names one that is not shown. */
    setQuiet(isQuiet, hidden = '') {
      if (isQuiet === this.isQuiet && hidden === this.concealed) return;
      this.isQuiet = isQuiet;
      this.concealed = hidden;
      this.map.getContainer().classList.toggle('regions-quiet', isQuiet);
      if (isQuiet) this._hover('');
      this._mark();
    }

    /** Boxes in container pixels that pictures take and names keep clear of. */
    get boxes() {
      if (!this.map._loaded) return [];
      return this.placed.map(({ foot, box: [left, top, right, bottom] }) => {
        const { x, y } = this.map.layerPointToContainerPoint(foot);
        return [x + left, y + Math.min(top, -8), x + right, y + Math.max(bottom, 14)];
      });
    }

    _draw(area) {
      const { shape } = area;
      const paint = (className, options = {}) => L.polygon(shape.polygons, {
        renderer: this.renderer, pane: 'regions', interactive: false, className, ...options,
      }).addTo(this.map);
      area.hatch = paint('region-hatch', { stroke: false, fillColor: 'url(#region-hatching)', fillOpacity: 1 });
      area.path = paint('region');
      area.layers = [area.hatch, area.path];
      if (area.line) {
        area.stroke = L.polyline(shape.line, {
          renderer: this.renderer, pane: 'regions', interactive: false, className: 'region-line',
        }).addTo(this.map);
        area.layers.push(area.stroke);
      }
    }

    _makeHatching() {
      const container = this.renderer._container;
      if (!container || container.querySelector('#region-hatching')) return;
      container.prepend(svg('defs', {}, [
        svg('pattern', {
          id: 'region-hatching', patternUnits: 'userSpaceOnUse', width: 7, height: 7, patternTransform: 'rotate(45)',
        }, [svg('line', { class: 'hatching', x1: 0, y1: 0, x2: 0, y2: 7 })]),
      ]));
    }

    _tell() {
      for (const [id, stand] of this.stands) {
        if (!this.items.get(id)?.picture || !this.get(id)) {
          stand.marker.remove();
          this.stands.delete(id);
        }
      }
      for (const area of this.areas) {
        const item = this.items.get(area.id);
        if (!item?.picture) continue;
        if (!this.stands.has(area.id)) {
          const act = { click: (id) => this._click(id), hover: (id) => this._hover(id) };
          this.stands.set(area.id, new Stand(area, act));
        }
        const stand = this.stands.get(area.id);
        stand.tell(area, item);
        stand.marker.addTo(this.map);
      }
      this.map.whenReady(() => { // before, there are no paths to be marked
        this._makeHatching();
        this.areas.filter(({ id }) => this.items.get(id)?.selected).forEach(({ path }) => path.bringToFront());
        this._mark();
        this.arrange();
      });
    }

    /** Mark every region as what it is: selected, without photos, under the pointer. */
    _mark() {
      if (!this.map._loaded) return;
      const pointed = this.hovered || this.highlighted;
      for (const area of this.areas) {
        const item = this.items.get(area.id);
        for (const layer of area.layers) {
          const { classList } = layer.getElement() ?? {};
          classList?.toggle('chosen', Boolean(item?.selected));
          classList?.toggle('pointed', area.id === pointed);
          classList?.toggle('blind', item?.photos === 0);
          classList?.toggle('concealed', area.id === this.concealed);
        }
      }
      for (const [id, stand] of this.stands) stand.root.classList.toggle('pointed', id === pointed);
    }

    _click(id) {
      if (!this.isQuiet) this.say.regionClicked(id);
    }

    _follow({ latlng, containerPoint, originalEvent }) {
      if (this.isQuiet || originalEvent.buttons) return;
      const stand = originalEvent.target.closest?.('.stand-body');
      const id = stand?.dataset.region ?? this.at(latlng)?.id ?? '';
      this._hover(id);
      const area = this.get(id);
      if (area) this.tip.show(containerPoint, area.name, photosText(this.items.get(id)?.photos));
    }

    _hover(id) {
      if (!id) this.tip.hide();
      if (id === this.hovered) return;
      this.hovered = id;
      this.map.getContainer().classList.toggle('over-region', Boolean(id));
      this._mark();
      this.say.regionHovered(id);
    }

    /**
     * Give every picture its size and side.
     *
     * It depends on the zoom alone, so that nothing moves while the map is dragged: the largest size at which all
     * have room, or else the smallest, and what still has none is folded up until the pointer comes.
     */
    arrange() {
      this.placed = [];
      if (!this.map._loaded || !this.stands.size) return;
      const stands = [...this.stands.values()].map((stand) => ({
        stand, foot: this.map.latLngToLayerPoint(stand.marker.getLatLng()),
        rank: Number(this.items.get(stand.id).selected),
      }));
      stands.sort((a, b) => b.rank - a.rank || b.foot.y - a.foot.y);
      const full = ramp(this.map.getZoom(), SIZES);
      let layout;
      for (const part of [1, 0.84, 0.7, 0.58, 0.48]) {
        layout = this._lay(stands, Math.round(Math.max(SMALLEST, full * part)));
        if (!layout.some(({ box }) => !box)) break;
      }
      for (const { stand, side, box } of layout) stand.place(side, box);
      this.placed = layout.filter(({ box }) => box);
    }

    _lay(stands, side) {
      const taken = stands.map(({ foot }) => [foot.x - 4, foot.y - 3, foot.x + 4, foot.y + 3]);
      return stands.map(({ stand, foot }, index) => {
        let [best, least] = [null, Infinity];
        Stand.boxes(side, stand.caption.textContent).forEach((box, order) => {
          const air = 3;
          const there = [foot.x + box[0] - air, foot.y + box[1] - air, foot.x + box[2] + air, foot.y + box[3] + air];
          const covered = taken.reduce((sum, other, i) => (i === index ? sum : sum + overlap(there, other)), 0);
          const cost = order * side + covered * 20;
          if (covered < side * side * 0.06 && cost < least) [best, least] = [box, cost];
        });
        if (best) taken.push([foot.x + best[0], foot.y + best[1], foot.x + best[2], foot.y + best[3]]);
        return { stand, foot, side, box: best };
      });
    }
  }

  /** A note at the pointer; `obstacles` returns the boxes that it keeps clear of, in the map's pixels. */
  class Tip {
    constructor(element, obstacles) {
      this.element = element;
      this.obstacles = obstacles;
      this.first = html('b', '');
      this.first.dir = 'auto';
      this.second = html('span', '');
      element.replaceChildren(this.first, this.second);
    }

    /** Show one or two lines beside a point in container pixels. */
    show({ x, y }, first, second = '') {
      this.first.textContent = first;
      this.second.textContent = second;
      this.element.hidden = !first && !second;
      const { offsetWidth: width, offsetHeight: height, parentElement: { clientWidth, clientHeight } } = this.element;
      const obstacles = this.obstacles();
      const cost = (left, top) => {
        const box = [left - 4, top - 4, left + width + 4, top + height + 4];
        const outside = Math.max(0, -left) + Math.max(0, -top) + Math.max(0, left + width - clientWidth)
          + Math.max(0, top + height - clientHeight);
        return outside * 100 + obstacles.reduce((sum, other) => sum + overlap(box, other), 0);
      };
      const sides = [[x + 16, y + 18], [x - 16 - width, y + 18], [x + 16, y - 14 - height], [x - 16 - width, y - 14 - height]];
      const [left, top] = sides.reduce((best, side) => (cost(...side) < cost(...best) ? side : best));
      this.element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
    }

    hide() {
      this.element.hidden = true;
    }
  }

  return { Layer, Tip };
})();

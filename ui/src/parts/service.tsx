import { paintOf } from '../draw/palette';
import './parts.css';

/** The colour of a service, beside its name or with it as a title. */
export function Dot({ service }: { service: string }) {
  const { colour, striped } = paintOf(service);
  return <span class={striped ? 'dot striped' : 'dot'} style={{ '--dot': `var(--service-${colour})` }} aria-hidden="true" />;
}

/** Services of a trace in a line: the first few with their names, the number of the rest. */
export function Services({ services, most }: { services: string[]; most: number }) {
  const rest = services.slice(most);
  return (
    <span class="services" title={services.join('\n')}>
      {services.slice(0, most).map((service) => (
        <span class="of-service foreign" key={service}>
          <Dot service={service} />
          <span class="service-name">{service}</span>
        </span>
      ))}
      {rest.length > 0 && <span class="muted">+{rest.length}</span>}
    </span>
  );
}
